"""A folder to make things in, so that what is not whole is never seen."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from svcgen.errors import SvcgenError

_ASIDE = ".svcgen-new-"


@contextmanager
def aside(parent: Path, advice: str = "") -> Iterator[Path]:
    """Give a new folder below `parent`, where what is made moves to its place by one rename.

    It is removed in the end, and so are the folders that were made for it and hold nothing. What a
    killed run left goes now. Raises SvcgenError with the advice when nothing can be written there.
    """
    try:
        missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
        parent.mkdir(parents=True, exist_ok=True)
        _clear_stale(parent)
        place, handle = _locked_folder(parent)
    except OSError as error:
        problem = f"Nothing can be written to {parent}: {error.strerror}."
        raise SvcgenError(problem, advice) from error
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(handle)
        with suppress(OSError):  # all that were made here and hold nothing
            for folder in missing:
                folder.rmdir()


def _locked_folder(parent: Path) -> tuple[Path, int]:
    """Make a folder and hold its lock; anew when another process took it for a dead one's."""
    while True:
        place = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=parent))
        with suppress(FileNotFoundError):
            handle = os.open(place, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if place.exists():
                return place, handle
            os.close(handle)


def _clear_stale(parent: Path) -> None:
    """Remove what a killed process left: nobody holds its lock any more."""
    for left in parent.glob(_ASIDE + "*"):
        with suppress(OSError):  # it still writes, ends just now, or is another user's
            _remove_dead(left)


def _remove_dead(left: Path) -> None:
    handle = os.open(left, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(left, ignore_errors=True)
    finally:
        os.close(handle)
