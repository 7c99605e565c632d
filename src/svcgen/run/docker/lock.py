"""One svcgen at a time changes a fleet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.files import locked, read_text
from svcgen.workspace import state_folder

FILE = "docker.lock"
LOOK = 0.5


@contextmanager
def changing(root: Path, *, wait: bool = False) -> Iterator[int]:
    """Hold the fleet's lock and yield its file descriptor, for child processes to keep open.

    The kernel frees the lock when the last process that has the file open ends. So a
    `docker compose` that outlives a killed svcgen still holds it. Raises SvcgenError when another
    process holds it, unless it is to `wait` for its end.
    """
    file = state_folder(root) / FILE
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(locked(file, wait=wait, create=True))
        except BlockingIOError as error:
            raise _busy(file) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield descriptor


def retry_until_unlocked(root: Path, action: Callable[[], None], timeout: float = 60.0) -> None:
    """Run `action` at once, again as long as another process changes the fleet, and once after.

    Raises SvcgenError when that process does not end within `timeout` seconds.
    """
    file = state_folder(root) / FILE
    deadline = time.monotonic() + timeout
    action()
    while True:
        try:
            with locked(file, wait=False, create=True):
                return action()
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise _busy(file) from error
            time.sleep(LOOK)
            action()


def _busy(file: Path) -> SvcgenError:
    return SvcgenError(
        f"Another svcgen (process {read_text(file) or 'unknown'}) is changing this fleet.",
        "Wait until it has ended, or end it and stop what it started: svcgen down",
    )
