"""Updates of many services at once: in a pool of processes, the canaries first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from svcgen.update.finish import announced, record
from svcgen.update.model import Finished, Job, Outcome
from svcgen.update.pool import in_processes
from svcgen.update.selection import Selection
from svcgen.update.worker import update_service
from svcgen.workspace import state_folder

_SERIAL = 2  # fewer services than that are done sooner than a pool starts


def update_fleet(
    begun: Sequence[Job],
    *,
    workers: int | None = None,
    canary: int = 0,
    finished: Finished = lambda _outcome: None,
) -> list[Outcome]:
    """Update services, each in a process of its own pool; say of each when it is done.

    `canary` of them go first, and the rest only if all of these were updated. No service's
    failure stops another one.
    """
    first, rest = list(begun[:canary]), list(begun[canary:])
    with announced(begun):
        outcomes = _batch(first, workers, finished)
        if all(outcome.state == "updated" for outcome in outcomes):
            return outcomes + _batch(rest, workers, finished)
    kept = [_not_begun(job) for job in rest]
    for outcome in kept:
        finished(outcome)
    return outcomes + kept


def with_logs(selection: Selection, begun: Iterable[Job]) -> list[Job]:
    """Give each job a file for what its service's own targets say."""
    logs = state_folder(selection.workspace.root) / "logs"
    logs.mkdir(exist_ok=True)
    return [replace(job, log=logs / f"update-{job.service.name}.log") for job in begun]


def _batch(begun: Sequence[Job], workers: int | None, finished: Finished) -> list[Outcome]:
    outcomes = []
    for outcome in _updated(begun, workers):
        finished(outcome)
        outcomes.append(outcome)
    if begun and begun[0].options.commits:
        changed = {outcome.folder: outcome for outcome in record(outcomes, begun)}
        outcomes = [changed.get(outcome.folder, outcome) for outcome in outcomes]
        for outcome in changed.values():
            finished(outcome)
    return sorted(outcomes, key=lambda outcome: (outcome.service, str(outcome.folder)))


def _updated(begun: Sequence[Job], workers: int | None) -> Iterator[Outcome]:
    if len(begun) < _SERIAL:
        return map(update_service, begun)
    return in_processes(update_service, begun, _broken_off, workers)


def _broken_off(job: Job, why: str) -> Outcome:
    return job.outcome(
        "failed",
        problem=f"Its update broke off: {why}.",
        advice=f"What it left is put back by the next one: svcgen update {job.service.name}",
    )


def _not_begun(job: Job) -> Outcome:
    return job.outcome("not-begun", problem="A canary failed, so this one was left alone.")
