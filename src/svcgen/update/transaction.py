"""Write a merge into a service's folder in one step: all files change, or none.

The journal holds the old files until the update ends. The next command undoes a killed run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from svcgen.errors import BusyError, SvcgenError
from svcgen.files import (
    locked,
    move_into_place,
    remove_stale,
    remove_stale_directories,
    staged,
)
from svcgen.git import first_conflict_marker
from svcgen.merge.files import File, read_tree, remove_file, write_file
from svcgen.merge.model import is_beside
from svcgen.service import ANSWERS_FILE
from svcgen.update.journal import (
    STATE,
    UpdateJournal,
    begin_journal,
    digest,
    old_files,
    read_journal,
    replace_journal,
)
from svcgen.update.plan import UpdatePlan
from svcgen.update.repository import current_branch, repository_of, uncommitted, unstage


@contextmanager
def service_lock(folder: Path) -> Iterator[None]:
    """Keep other updates out of a service. Raises BusyError when another one is running."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder, wait=False))
        except BlockingIOError as error:
            raise BusyError(
                f"Another update of {folder.name} is running.", "Wait until it has finished."
            ) from error
        yield


def apply(
    plan: UpdatePlan, *, message: str = "", touched: Sequence[str] = (), branch: str = ""
) -> UpdateJournal:
    """Write a plan's changes; `undo` can undo them until `finish`.

    `message` is that of the commit that ends the update, on `branch` or the current one. `touched`
    are paths that other programs may write before `finish`. The caller holds the lock, and has
    checked under it that no update is in progress. Raises SvcgenError, with nothing changed, when
    a file cannot be written.
    """
    changes = {change.path: change for change in plan.changes}
    paths = [*changes, *(path for path in touched if path not in changes)]
    journal = UpdateJournal(
        old=plan.old.name,
        new=plan.new.name,
        conflicts=plan.conflicts,
        before={path: str(n) if path in plan.user_tree else "" for n, path in enumerate(paths)},
        after={path: "" if path in touched else digest(changes[path].after) for path in paths},
        message=message,
        branch=branch or _branch_of(plan.folder),
        written={
            change.path: change.after.content
            for change in plan.changes
            if change.after and change.conflict
        },
    )
    try:
        begin_journal(plan.folder, journal, plan.user_tree)
        for change in plan.changes:
            _put(plan.folder, change.path, change.after)
        if journal.conflicts:
            after = {path: digest(change.after) for path, change in changes.items()}
            untouched = {path: digest(plan.user_tree.get(path)) for path in paths}
            journal = replace(journal, awaiting_user=True, after={**untouched, **after})
            replace_journal(plan.folder, journal)
    except (OSError, SvcgenError) as error:
        if read_journal(plan.folder):
            undo(plan.folder)
        denied = f"{plan.folder} cannot be written: {error}."
        problem = error.problem if isinstance(error, SvcgenError) else denied
        raise SvcgenError(problem, "Nothing has changed.") from error
    return journal


def recover(folder: Path) -> None:
    """Undo what a killed run left half-done in a service, in its files and in git's index.

    Raises SvcgenError when a file was edited since.
    """
    remove_stale_directories(folder)
    journal = read_journal(folder)
    if journal is None or journal.awaiting_user:
        return
    # With a clean folder the run had not begun to write, or its work is committed.
    if repository_of(folder) is None or uncommitted(folder):
        current, old = read_tree(folder, journal.paths), old_files(folder, journal)
        for path, after in journal.after.items():
            if after and digest(current.get(path)) not in {digest(old.get(path)), after}:
                raise SvcgenError(
                    f"An update of {folder.name} was killed, and {path} was edited since.",
                    "Copy your edit to another place, then undo the update: svcgen update "
                    f"{folder.name} --abort --force",
                )
        _restore(folder, journal)
    finish(folder)
    if journal.message:
        unstage(folder)  # the run may have been killed between `git add` and `git commit`


def undo(folder: Path) -> UpdateJournal:
    """Undo an update of this process: restore every file, also one that a target has written."""
    journal = _require_journal(folder)
    _restore(folder, journal)
    finish(folder)
    return journal


def abort(folder: Path, *, force: bool = False) -> UpdateJournal:
    """Undo an update in progress: restore what is still the update's, never newer work.

    When the answers file is as before, the update was dropped, as by `git reset --hard`: then only
    files that it wrote, and that are in no commit, are restored. Raises SvcgenError, with nothing
    changed, for a file that has been edited otherwise than by resolving conflicts, unless `force`
    gives up these edits.
    """
    journal = _require_journal(folder)
    current, old = read_tree(folder, journal.paths), old_files(folder, journal)
    states = {
        path: _state(path, journal, old.get(path), current.get(path)) for path in journal.paths
    }
    edited = [path for path, state in states.items() if state == "edited"]
    if force or not edited:
        _restore(folder, journal)
    elif journal.awaiting_user and states.get(ANSWERS_FILE) == "old":
        left = set(uncommitted(folder)) if repository_of(folder) else set(states)
        written = {path for path in left if states.get(path) == "written"}
        _restore(folder, replace(journal, before=_only(journal.before, written)))
    else:
        raise SvcgenError(
            f"{folder.name} has newer edits in {', '.join(edited)}, which would be lost.",
            f"Commit or copy them, or give them up: svcgen update {folder.name} --abort --force",
        )
    finish(folder)
    return journal


def _only(values: Mapping[str, str], paths: Collection[str]) -> dict[str, str]:
    return {path: value for path, value in values.items() if path in paths}


def _state(path: str, journal: UpdateJournal, old: File | None, now: File | None) -> str:
    """Return whose a file is: "old", as before the update, "written" by it, or "edited" since.

    A conflict that has markers, or only lines of either side, is still the update's.
    """
    if digest(now) == digest(old):
        return "old"
    written = journal.after.get(path, "")
    if not written or digest(now) == written:
        return "written"
    lines = journal.written.get(path)
    resolving = now and lines and set(now.content.split(b"\n")) <= set(lines.split(b"\n"))
    marked = now and lines and first_conflict_marker(now.content)
    return "written" if resolving or marked else "edited"


def require_resolved(folder: Path) -> UpdateJournal:
    """Return the update in progress, of which all conflicts are resolved.

    Raises SvcgenError with the files that still have conflicts, and when the update is not there:
    on another branch, or after `git checkout .`.
    """
    journal = _require_journal(folder)
    _require_there(folder, journal)
    paths = [conflict.path for conflict in journal.conflicts]
    files = read_tree(folder, paths)
    left = [
        path
        for path in paths
        if path in files and not files[path].link and first_conflict_marker(files[path].content)
    ]
    beside = (path for path in journal.paths if is_beside(path, journal.new))
    left += [path for path in beside if (folder / path).exists()]
    if left:
        raise SvcgenError(
            f"{folder.name} still has conflicts in {', '.join(left)}.",
            "Edit these files, remove the markers, then: svcgen update --continue",
        )
    return journal


def _require_there(folder: Path, journal: UpdateJournal) -> None:
    """Raise SvcgenError for an update on another branch, or whose answers file was restored."""
    branch = _branch_of(folder)
    if journal.branch and branch != journal.branch:
        raise SvcgenError(
            f"The update of {folder.name} to {journal.new} is on the branch {journal.branch}, and "
            f"{branch or 'no branch'} is checked out.",
            f"Switch to it: git -C {folder} switch {journal.branch}",
        )
    old, now = old_files(folder, journal).get(ANSWERS_FILE), read_tree(folder, [ANSWERS_FILE])
    written = journal.after.get(ANSWERS_FILE, "")
    if written and written != digest(old) == digest(now.get(ANSWERS_FILE)):
        raise SvcgenError(
            f"The update of {folder.name} to {journal.new} is no longer in its files: "
            f"{ANSWERS_FILE} is as before it.",
            f"Forget it, then start again: svcgen update {folder.name} --abort",
        )


def require_no_update_in_progress(folder: Path) -> None:
    """Raise SvcgenError while an update awaits its user: its conflicts would be lost."""
    journal = read_journal(folder)
    if journal:
        paths = ", ".join(conflict.path for conflict in journal.conflicts)
        raise SvcgenError(
            f"An update of {folder.name} to {journal.new} is in progress, with conflicts in "
            f"{paths}.",
            f"Resolve them, then: svcgen update {folder.name} --continue\n"
            f"Or undo the update: svcgen update {folder.name} --abort",
        )


def finish(folder: Path) -> None:
    """Remove the journal of an update; one rename ends it."""
    with staged(folder) as staging, suppress(FileNotFoundError):
        move_into_place(folder / STATE, staging / STATE)


def _branch_of(folder: Path) -> str:
    repository = repository_of(folder)
    return current_branch(repository) if repository else ""


def _put(folder: Path, path: str, file: File | None) -> None:
    if file is None:
        remove_file(folder, path)
    else:
        write_file(folder, path, file)


def _restore(folder: Path, journal: UpdateJournal) -> None:
    old, current = old_files(folder, journal), read_tree(folder, journal.paths)
    # Added files go first: one may be in the place of a folder.
    for path in sorted(journal.before, key=lambda path: path in old):
        if path in old and current.get(path) == old[path]:
            remove_stale(folder / path)  # the file stays: it may be one that cannot be written
        else:
            _put(folder, path, old.get(path))


def _require_journal(folder: Path) -> UpdateJournal:
    journal = read_journal(folder)
    if journal is None:
        raise SvcgenError(f"No update in progress in {folder.name}.", "Start one: svcgen update")
    return journal
