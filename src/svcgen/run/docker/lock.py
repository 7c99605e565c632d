"""One svcgen at a time changes a fleet."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.workspace import state_folder

FILE = "docker.lock"


@contextmanager
def changing(root: Path) -> Iterator[int]:
    """Hold the fleet's lock and give its file descriptor, for children to keep open.

    The lock is the kernel's: it ends with the last process that has the file open, so a
    `docker compose` that outlives a killed svcgen still holds it. Raises SvcgenError when another
    one holds it.
    """
    descriptor = _open(root)
    try:
        if not _locked(descriptor):
            raise _busy(descriptor)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield descriptor
    finally:
        os.close(descriptor)


def retry_until_unlocked(root: Path, again: Callable[[], None], patience: float = 60.0) -> None:
    """Do something at least once, and again as long as another process changes the fleet.

    Raises SvcgenError when that process does not give up.
    """
    descriptor = _open(root)
    try:
        deadline = time.monotonic() + patience
        again()
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                raise _busy(descriptor)
            time.sleep(0.5)
            again()
        again()
    finally:
        os.close(descriptor)


def _open(root: Path) -> int:
    return os.open(state_folder(root) / FILE, os.O_RDWR | os.O_CREAT, 0o600)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _busy(descriptor: int) -> SvcgenError:
    holder = os.pread(descriptor, 20, 0).decode() or "unknown"
    return SvcgenError(
        f"Another svcgen (process {holder}) is changing this fleet.",
        "Wait until it has ended, or end it; `svcgen down` then ends what it started.",
    )
