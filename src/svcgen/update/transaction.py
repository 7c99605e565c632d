"""Puts a merge into a service's folder as one step: it happens, or it never did.

While it works, and while conflicts are open, `SERVICE/.svcgen-update/` holds the files as they were
and a record of what they become. A killed run is undone from there by the next one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from svcgen.errors import BusyError, SvcgenError
from svcgen.merge.files import File, read_tree, remove_file, temporary, write_file
from svcgen.merge.merge import Change, is_beside
from svcgen.update.journal import (
    STATE,
    Conflict,
    Opened,
    begin,
    copies,
    digest,
    opened_update,
    write_record,
)
from svcgen.update.plan import Plan


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other updates out of a service. Raises BusyError when one is at work there."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder.name)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, service: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError(
            f"Another update of {service} is at work.", "Wait until it has ended."
        ) from error


def apply(planned: Plan, *, message: str = "", touched: Sequence[str] = ()) -> Opened:
    """Do what was planned; it stays undoable until `finish`.

    `message` is that of the commit that is to end it, `touched` are paths that other programs may
    write before `finish`. Whoever calls it holds the lock, and has seen under it that no update is
    open (`refuse_open`). Raises SvcgenError, with nothing changed, when it cannot be written.
    """
    opened = _record(planned, message, touched)
    try:
        begin(planned.folder, opened, planned.mine)
        return _applied(planned, opened)
    except (OSError, SvcgenError) as error:
        if opened_update(planned.folder):
            abort(planned.folder)
        denied = f"{planned.folder} cannot be written: {error}."
        problem = error.problem if isinstance(error, SvcgenError) else denied
        raise SvcgenError(problem, "Nothing has changed.") from error


def _applied(planned: Plan, opened: Opened) -> Opened:
    for change in planned.changes:
        _put(planned.folder, change.path, change.after)
    if opened.conflicts:
        opened = replace(opened, waits=True)
        write_record(planned.folder, opened)
    return opened


def recover(folder: Path, *, clean: bool) -> bool:
    """Undo what a killed run left half-done; return whether there was anything.

    `clean` says that version control sees no change in the folder: then the run had not begun to
    write, or its work is committed. Raises SvcgenError when a file was edited since.
    """
    _sweep(folder)
    opened = opened_update(folder)
    if opened is None or opened.waits:
        return False
    if not clean:
        _refuse_edited(folder, opened)
        _restore(folder, opened)
    finish(folder)
    return True


def abort(folder: Path) -> Opened:
    """Put back every file of an open update as it was, whatever became of it since."""
    opened = _must_be_open(folder)
    _restore(folder, opened)
    finish(folder)
    return opened


def resolved(folder: Path) -> Opened:
    """Return the open update once its conflicts are gone.

    Raises SvcgenError that names the files which still hold markers.
    """
    opened = _must_be_open(folder)
    left = [conflict.path for conflict in opened.conflicts if _is_marked(folder, conflict.path)]
    left += [
        path for path in opened.paths if is_beside(path, opened.new) and (folder / path).exists()
    ]
    if left:
        raise SvcgenError(
            f"{folder.name} still has conflicts in {', '.join(left)}.",
            "Edit them, remove the marks, then: svcgen update --continue",
        )
    return opened


def refuse_open(folder: Path) -> None:
    """Refuse to begin anything where an update waits for its user: its conflicts would be lost."""
    opened = opened_update(folder)
    if opened:
        raise SvcgenError(
            f"{folder.name} has an open update to {opened.new} with conflicts in "
            f"{', '.join(conflict.path for conflict in opened.conflicts)}.",
            f"Resolve them, then: svcgen update {folder.name} --continue\n"
            f"Or put all back: svcgen update {folder.name} --abort",
        )


def finish(folder: Path) -> None:
    """Forget how an update is undone: one rename ends it."""
    done = tempfile.mkdtemp(prefix=f"{STATE}-", dir=folder)
    with suppress(FileNotFoundError):
        os.rename(folder / STATE, done)  # noqa: PTH104 (over an empty folder, in one step)
    shutil.rmtree(done, ignore_errors=True)


def _record(planned: Plan, message: str, touched: Sequence[str]) -> Opened:
    written = {change.path: change for change in planned.changes}
    paths = [*written, *(path for path in touched if path not in written)]
    return Opened(
        planned.old.name,
        planned.new.name,
        tuple(Conflict(one.path, one.conflict) for one in planned.changes if one.conflict),
        {path: str(number) if path in planned.mine else "" for number, path in enumerate(paths)},
        {path: _after(written[path], touched) if path in written else "" for path in paths},
        message=message,
    )


def _after(change: Change, touched: Sequence[str]) -> str:
    return "" if change.path in touched else digest(change.after)


def _put(folder: Path, path: str, file: File | None) -> None:
    temporary(folder / path).unlink(missing_ok=True)  # a killed run may have left it
    if file is None:
        remove_file(folder, path)
    else:
        write_file(folder, path, file)


def _restore(folder: Path, opened: Opened) -> None:
    was = copies(folder, opened)
    now = read_tree(folder, opened.paths)
    # What was added goes first: a file may have taken the place of a folder.
    for path in sorted(opened.before, key=lambda path: path in was):
        if path in was and now.get(path) == was[path]:  # it may be what cannot be written at all
            temporary(folder / path).unlink(missing_ok=True)
        else:
            _put(folder, path, was.get(path))


def _refuse_edited(folder: Path, opened: Opened) -> None:
    now = read_tree(folder, opened.paths)
    was = copies(folder, opened)
    for path, after in opened.after.items():
        before = digest(was.get(path))
        if after and digest(now.get(path)) not in (before, after):
            raise SvcgenError(
                f"An update of {folder.name} was killed, and {path} was edited since.",
                "Keep a copy of your edit, then put all back: svcgen update --abort",
            )


def _sweep(folder: Path) -> None:
    """Remove records that were never named, and those of updates that ended."""
    for left in folder.glob(f"{STATE}-*"):
        shutil.rmtree(left, ignore_errors=True)


def _must_be_open(folder: Path) -> Opened:
    opened = opened_update(folder)
    if opened is None:
        raise SvcgenError(f"No update is open in {folder.name}.", "Begin one: svcgen update")
    return opened


def _is_marked(folder: Path, path: str) -> bool:
    file = read_tree(folder, [path]).get(path)
    if file is None or file.link:
        return False
    starts = (b"<<<<<<< ", b">>>>>>> ")
    return any(line.startswith(starts) for line in file.content.splitlines())
