"""How an update ends: in a commit, after its conflicts are resolved, or undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.update.journal import UpdateJournal, read_journal
from svcgen.update.model import UpdateJob, UpdateResult, failed
from svcgen.update.repository import (
    clear_unmerged,
    commit,
    committing,
    mark_unmerged,
    repository_of,
    unstage,
)
from svcgen.update.selection import Selection, require_not_committing
from svcgen.update.transaction import abort, finish, require_resolved, service_lock, undo

_HANDLES = 100  # of the files that a process may have open: 256 on macOS


def abort_updates(selection: Selection, *, force: bool = False) -> list[UpdateResult]:
    """Undo the updates in progress; `force` also gives up newer edits of their files."""
    return _end_each(selection, "aborted", partial(_abort, force=force))


def continue_updates(selection: Selection) -> list[UpdateResult]:
    """Finish updates whose conflicts are resolved, with the commit that was asked for."""
    return _end_each(selection, "updated", _continue)


@contextmanager
def commit_pending(jobs: Sequence[UpdateJob]) -> Iterator[None]:
    """Mark the repositories of these jobs, for other processes, until the updates are committed."""
    folders = [job.service.folder for job in jobs if job.options.commits]
    with ExitStack() as stack:
        for repository in [*set(filter(None, map(repository_of, folders)))][:_HANDLES]:
            stack.enter_context(committing(repository))
        yield


def commit_updates(
    results: Sequence[UpdateResult], jobs: Sequence[UpdateJob]
) -> list[UpdateResult]:
    """Commit what was updated, one commit a repository, and remove the journals.

    Where git or a hook refuses, undo the updates and return their new results.
    """
    messages = {job.service.folder: job.message for job in jobs}
    branch = jobs[0].options.branch if jobs else ""
    repositories: dict[Path, list[UpdateResult]] = {}
    for result in results:
        if result.state in {"updated", "conflicts"}:
            repository = repository_of(result.folder) or result.folder
            repositories.setdefault(repository, []).append(result)
    refused: list[UpdateResult] = []
    for repository, members in repositories.items():
        updated = [result for result in members if result.state == "updated"]
        folders = [result.folder for result in updated]
        message = "\n\n".join(messages[folder] for folder in folders)
        if len(folders) > 1:
            message = f"Update {len(folders)} services to a newer template\n\n{message}"
        try:
            commit(repository, folders, message, branch)
        except SvcgenError as error:
            for result in updated:
                undo(result.folder)
                refused.append(
                    replace(result, state="failed", problem=error.problem, advice=error.advice)
                )
        else:
            for folder in folders:
                finish(folder)
    return refused


def mark_conflicts(results: Sequence[UpdateResult]) -> None:
    """Put the conflicts of these updates into the indexes of their repositories.

    Only after the commit of the others: git does not commit, or switch, with unmerged paths.
    """
    repositories: dict[Path, list[str]] = {}
    for result in results:
        if result.unmerged and (repository := repository_of(result.folder)):
            repositories.setdefault(repository, []).extend(result.unmerged)
    for repository, entries in repositories.items():
        mark_unmerged(repository, entries)


def _end_each(
    selection: Selection, state: str, end: Callable[[Path], UpdateJournal]
) -> list[UpdateResult]:
    results = []
    for service in selection.services:
        if selection.everything and read_journal(service.folder) is None:
            continue
        try:
            with service_lock(service.folder):
                journal = end(service.folder)
        except SvcgenError as error:
            results.append(failed(service.name, service.folder, error, service.version))
            continue
        facts = (journal.old, journal.new, state, journal.paths)
        results.append(UpdateResult(service.name, service.folder, *facts))
    if not results:
        raise SvcgenError("No update in progress.", "Start one: svcgen update --all")
    return results


def _abort(folder: Path, *, force: bool) -> UpdateJournal:
    require_not_committing(folder)
    journal = abort(folder, force=force)
    clear_unmerged(folder)
    if journal.message:
        unstage(folder)
    return journal


def _continue(folder: Path) -> UpdateJournal:
    journal = require_resolved(folder)
    repository = repository_of(folder)
    if journal.message and repository:
        commit(repository, [folder], journal.message)
    clear_unmerged(folder)
    finish(folder)
    return journal
