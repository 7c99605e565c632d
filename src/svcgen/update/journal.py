"""The journal of an update in progress: the files before it, and what they become.

`SERVICE/.svcgen-update/` holds it from before the first change to the end of the update.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.files import move_into_place, staged, write_atomic
from svcgen.merge.files import File, Tree, read_tree, write_file

STATE = ".svcgen-update"
_RECORD = "update.json"
_WRITTEN = "written-"  # and a number: a conflict as the update wrote it
_NO_FILE = "gone"  # the digest of a path without a file


@dataclass(frozen=True)
class Conflict:
    """A file that the user has to edit, and why."""

    path: str
    why: str


@dataclass(frozen=True)
class UpdateJournal:
    """An update in progress in one service."""

    old: str
    new: str
    conflicts: tuple[Conflict, ...]
    before: Mapping[str, str]  # each path, and the name of its copy; "" where no file was
    after: Mapping[str, str]  # each path, and the digest of what it becomes; "" is anything
    awaiting_user: bool = False  # all files are written; the user resolves the conflicts
    message: str = ""  # of the commit that ends it; empty when nothing is to be committed
    branch: str = ""  # which it is on; empty outside git, with a detached HEAD, and by svcgen 0.1
    written: Mapping[str, bytes] = field(default_factory=dict)  # each conflict, with its markers

    @property
    def paths(self) -> tuple[str, ...]:
        """All files that the update writes or removes."""
        return tuple(self.before)


def read_journal(folder: Path) -> UpdateJournal | None:
    """Return the journal of the update in progress in a service, None without one.

    Raises SvcgenError when the journal cannot be read.
    """
    record = folder / STATE / _RECORD
    try:
        values: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SvcgenError(
            f"{record} cannot be read: {error}.",
            f"Check the files with `git diff`, then remove {record.parent}.",
        ) from error
    if "waits" in values:  # written by svcgen 0.1
        values["awaiting_user"] = values.pop("waits")
    conflicts = tuple(Conflict(**conflict) for conflict in values.pop("conflicts"))
    copies = read_tree(folder / STATE, [f"{_WRITTEN}{n}" for n, _ in enumerate(conflicts)])
    written = {
        conflict.path: copies[copy].content
        for n, conflict in enumerate(conflicts)
        if (copy := f"{_WRITTEN}{n}") in copies
    }
    return UpdateJournal(conflicts=conflicts, written=written, **values)


def begin_journal(folder: Path, journal: UpdateJournal, user_tree: Tree) -> None:
    """Copy the old files and write the journal, in one step: until then nothing has begun."""
    with staged(folder) as staging:
        (staging / ".gitignore").write_text("*\n", encoding="utf-8")
        for path, copy in journal.before.items():
            if copy:
                write_file(staging, copy, user_tree[path])
        for n, conflict in enumerate(journal.conflicts):
            if conflict.path in journal.written:
                write_file(staging, f"{_WRITTEN}{n}", File(journal.written[conflict.path]))
        _write(staging, journal)
        move_into_place(staging, folder / STATE)
    _sync(folder)


def replace_journal(folder: Path, journal: UpdateJournal) -> None:
    """Replace the journal of an update in progress."""
    _write(folder / STATE, journal)


def old_files(folder: Path, journal: UpdateJournal) -> dict[str, File]:
    """Return the files before the update, by path; a path without a file is left out."""
    copies = read_tree(folder / STATE, [copy for copy in journal.before.values() if copy])
    return {path: copies[copy] for path, copy in journal.before.items() if copy}


def digest(file: File | None) -> str:
    """Return a digest of a file's content, mode and kind."""
    if file is None:
        return _NO_FILE
    kind = b"link" if file.link else b"run" if file.executable else b"file"
    return sha256(kind + b"\0" + file.content).hexdigest()


def _write(state: Path, journal: UpdateJournal) -> None:
    values = {name: value for name, value in asdict(journal).items() if name != "written"}
    write_atomic(state / _RECORD, json.dumps(values, indent=1))
    _sync(state)


def _sync(folder: Path) -> None:
    """Write a folder's names to the disk: fsync(2) of a file does not include its name."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
