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
def aside(parent: Path) -> Iterator[Path]:
    """Give a new folder below `parent`, where what is made moves to its place by one rename.

    It is removed in the end, and so are the folders that were made for it and hold nothing. What a
    killed run left goes now. Raises SvcgenError when nothing can be written there.
    """
    try:
        missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
        parent.mkdir(parents=True, exist_ok=True)
        _clear_stale(parent)
        place = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=parent))
        handle = os.open(place, os.O_RDONLY)
    except OSError as error:
        raise SvcgenError(f"Nothing can be written to {parent}: {error.strerror}.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(handle)
        with suppress(OSError):  # all that were made here and hold nothing
            for folder in missing:
                folder.rmdir()


def _clear_stale(parent: Path) -> None:
    """Remove what a killed `new` left: nobody holds its lock any more."""
    for left in parent.glob(_ASIDE + "*"):
        with suppress(BlockingIOError, FileNotFoundError):  # it still writes, or ends just now
            _remove_dead(left)


def _remove_dead(left: Path) -> None:
    handle = os.open(left, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(left, ignore_errors=True)
    finally:
        os.close(handle)
