"""How an update ends: in a commit, after its conflicts are resolved, or put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.update.journal import Opened, opened_update
from svcgen.update.model import Job, Outcome, failed
from svcgen.update.repository import commit, committing, repository_of, unstage
from svcgen.update.selection import Selection, refuse_committing
from svcgen.update.transaction import abort, finish, locked, resolved

_HANDLES = 100  # of the files that a process may have open: 256 on macOS


def give_up(selection: Selection) -> list[Outcome]:
    """Put back what open updates had changed."""
    return _each_open(selection, _given_up)


def carry_on(selection: Selection) -> list[Outcome]:
    """End open updates whose conflicts are resolved, with the commit that they were to end in."""
    return _each_open(selection, _end)


def record(outcomes: Sequence[Outcome], jobs_: Sequence[Job]) -> list[Outcome]:
    """Commit what was updated, one commit a repository, and forget how it is undone."""
    done: list[Outcome] = []
    by_folder = {job.service.folder: job for job in jobs_}
    for repository, members in _by_repository(outcomes).items():
        done += _committed(repository, members, by_folder)
    return done


@contextmanager
def announced(jobs_: Sequence[Job]) -> Iterator[None]:
    """Tell other processes, from before the first change on, that these are to be committed."""
    folders = [job.service.folder for job in jobs_ if job.options.commits]
    with ExitStack() as stack:
        for repository in [*set(filter(None, map(repository_of, folders)))][:_HANDLES]:
            stack.enter_context(committing(repository))
        yield


def _each_open(selection: Selection, end: Callable[[Path], tuple[Opened, str]]) -> list[Outcome]:
    outcomes = []
    for service in selection.services:
        if selection.everything and opened_update(service.folder) is None:
            continue
        try:
            with locked(service.folder):
                opened, state = end(service.folder)
        except SvcgenError as error:
            outcomes.append(failed(service.name, service.folder, error, service.version))
            continue
        facts = (opened.old, opened.new, state, opened.paths)
        outcomes.append(Outcome(service.name, service.folder, *facts))
    if not outcomes:
        raise SvcgenError("No update is open here.", "Begin one: svcgen update --all")
    return outcomes


def _given_up(folder: Path) -> tuple[Opened, str]:
    refuse_committing(folder)
    opened = abort(folder)
    if opened.message:
        unstage(folder)
    return opened, "aborted"


def _end(folder: Path) -> tuple[Opened, str]:
    opened = resolved(folder)
    repository = repository_of(folder)
    if opened.message and repository:
        commit(repository, [folder], opened.message)
    finish(folder)
    return opened, "updated"


def _by_repository(outcomes: Sequence[Outcome]) -> dict[Path, list[Outcome]]:
    found: dict[Path, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.state in {"updated", "conflicts"}:
            repository = repository_of(outcome.folder)
            found.setdefault(repository or outcome.folder, []).append(outcome)
    return found


def _committed(
    repository: Path, outcomes: Sequence[Outcome], jobs: Mapping[Path, Job]
) -> list[Outcome]:
    merged = [outcome for outcome in outcomes if outcome.state == "updated"]
    folders = [outcome.folder for outcome in merged]
    message = _joined([jobs[folder].message for folder in folders])
    try:
        commit(repository, folders, message, jobs[outcomes[0].folder].options.branch)
    except SvcgenError as error:
        return [_put_back(outcome, error) for outcome in merged]
    for folder in folders:
        finish(folder)
    return []


def _joined(messages: Sequence[str]) -> str:
    """Write one message for all services of a repository: a title, then each one's own."""
    if len(messages) < 2:  # noqa: PLR2004 (one needs no title of its own)
        return "".join(messages)
    return "\n\n".join([f"Update {len(messages)} services to a newer template", *messages])


def _put_back(outcome: Outcome, error: SvcgenError) -> Outcome:
    abort(outcome.folder)
    return replace(outcome, state="failed", problem=error.problem, advice=error.advice)
