"""The record of an update that is under way: what the files were, and what they become."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.merge.files import File, Tree, read_tree, write_file

STATE = ".svcgen-update"
_RECORD = "update.json"
_GONE = "gone"  # what a digest says where no file is


@dataclass(frozen=True)
class Conflict:
    """A file that needs its user, and why."""

    path: str
    why: str


@dataclass(frozen=True)
class Opened:
    """An update that is under way in a service, or that waits for its user."""

    old: str
    new: str
    conflicts: tuple[Conflict, ...]
    before: Mapping[str, str]  # each path, and the name of its copy; "" where no file was
    after: Mapping[str, str]  # each path, and the digest of what it becomes; "" is anything
    waits: bool = False  # all is applied: what is left are the user's conflicts
    message: str = ""  # of the commit that ends it; empty when nothing is to be committed

    @property
    def paths(self) -> tuple[str, ...]:
        """All files that the update writes or removes."""
        return tuple(self.before)


def opened_update(folder: Path) -> Opened | None:
    """Return the update that is open in a service, if any."""
    record = folder / STATE / _RECORD
    try:
        said: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SvcgenError(
            f"{record} cannot be read: {error}.", f"Remove {record.parent}, and look at `git diff`."
        ) from error
    conflicts = tuple(Conflict(**conflict) for conflict in said.pop("conflicts"))
    return Opened(conflicts=conflicts, **said)


def begin(folder: Path, opened: Opened, mine: Tree) -> None:
    """Copy the files beside their place and name the record: before that, nothing has begun."""
    aside = Path(tempfile.mkdtemp(prefix=f"{STATE}-", dir=folder))
    try:
        (aside / ".gitignore").write_text("*\n", encoding="utf-8")
        for path, copy in opened.before.items():
            if copy:
                write_file(aside, copy, mine[path])
        _write(aside, opened)
        os.rename(aside, folder / STATE)  # noqa: PTH104 (nothing or an empty folder is there)
    except (OSError, SvcgenError):  # a full disk, which this would keep full
        shutil.rmtree(aside, ignore_errors=True)
        raise
    _sync(folder)


def write_record(folder: Path, opened: Opened) -> None:
    """Replace the record of an open update."""
    _write(folder / STATE, opened)


def _write(state: Path, opened: Opened) -> None:
    text = json.dumps(asdict(opened), indent=1).encode()
    write_file(state, _RECORD, File(text))
    _sync(state)


def copies(folder: Path, opened: Opened) -> dict[str, File]:
    """Return the files as they were, by their path; one that was not there is left out."""
    kept = read_tree(folder / STATE, [copy for copy in opened.before.values() if copy])
    return {path: kept[copy] for path, copy in opened.before.items() if copy}


def digest(file: File | None) -> str:
    """Tell two files apart: content, mode and kind."""
    if file is None:
        return _GONE
    kind = b"link" if file.link else b"run" if file.executable else b"file"
    return sha256(kind + b"\0" + file.content).hexdigest()


def _sync(folder: Path) -> None:
    """Have a folder's names written to the disk: fsync(2) of a file does not include its name."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
