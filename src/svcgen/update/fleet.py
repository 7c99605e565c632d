"""Update many services: in worker processes, the canaries first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from svcgen.update.finish import commit_pending, commit_updates, mark_conflicts
from svcgen.update.model import Finished, UpdateJob, UpdateResult
from svcgen.update.pool import in_processes
from svcgen.update.selection import Selection
from svcgen.update.worker import update_service
from svcgen.workspace import state_folder

_SERIAL = 2  # fewer services than that are done sooner than a pool starts


def update_fleet(
    pending: Sequence[UpdateJob],
    *,
    workers: int | None = None,
    canary: int = 0,
    finished: Finished = lambda _result: None,
) -> list[UpdateResult]:
    """Update services, each in a worker process; call `finished` with each result as it comes.

    `canary` services go first, and the others only if all of these were updated. A service that
    fails does not stop another one.
    """
    first, rest = pending[:canary], pending[canary:]
    with commit_pending(pending):
        results = _update_batch(first, workers, finished)
        if all(result.state == "updated" for result in results):
            return results + _update_batch(rest, workers, finished)
    skipped = [job.result("skipped", problem="Skipped, because a canary failed.") for job in rest]
    for result in skipped:
        finished(result)
    return results + skipped


def with_logs(selection: Selection, pending: Iterable[UpdateJob]) -> list[UpdateJob]:
    """Give each job a log file for the output of its service's own targets."""
    logs = state_folder(selection.workspace.root) / "logs"
    logs.mkdir(exist_ok=True)
    return [replace(job, log=logs / f"update-{job.service.name}.log") for job in pending]


def _update_batch(
    pending: Sequence[UpdateJob], workers: int | None, finished: Finished
) -> list[UpdateResult]:
    coming = (
        map(update_service, pending)
        if len(pending) < _SERIAL
        else in_processes(update_service, pending, _broken_off, workers)
    )
    results = []
    for result in coming:
        finished(result)
        results.append(result)
    if pending and pending[0].options.commits:
        failed = {result.folder: result for result in commit_updates(results, pending)}
        results = [failed.get(result.folder, result) for result in results]
        for result in failed.values():
            finished(result)
    mark_conflicts(results)
    return sorted(results, key=lambda result: (result.service, str(result.folder)))


def _broken_off(job: UpdateJob, why: str) -> UpdateResult:
    return job.result(
        "failed",
        problem=f"The update failed: {why}.",
        advice=f"The next update undoes what it left: svcgen update {job.service.name}",
    )
