"""`svcgen up --watch` ends with the fleet: `down` asks it to, in the file that it holds locked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.files import locked, read_text
from svcgen.workspace import STATE_FOLDER, state_folder

FILE = "watch.lock"
END = "end"
LOOK = 0.5
LONGEST = 30.0  # seconds that a watch may take to end: it may be building an image


@contextmanager
def watching(root: Path, end: Callable[[], None]) -> Iterator[None]:
    """Call `end`, once, when `end_watching` ends the watch of this block.

    Raises SvcgenError when another process watches the fleet.
    """
    file, over = state_folder(root) / FILE, threading.Event()

    def look() -> None:
        while not over.wait(LOOK):
            if read_text(file) == END:
                end()
                return

    try:
        with locked(file, wait=False, create=True):
            file.write_text("", encoding="utf-8")
            looking = threading.Thread(target=look, daemon=True)
            looking.start()
            try:
                yield
            finally:
                over.set()
                looking.join()
                file.unlink(missing_ok=True)
    except BlockingIOError as error:
        raise SvcgenError("Another `svcgen up --watch` watches this fleet.", "End it.") from error


def end_watching(root: Path) -> None:
    """End the watch of a fleet, if there is one, and wait until it has ended."""
    file = root / STATE_FOLDER / FILE
    deadline = time.monotonic() + LONGEST
    while file.exists() and time.monotonic() < deadline:
        try:
            with locked(file, wait=False):
                return file.unlink(missing_ok=True)
        except BlockingIOError:
            file.write_text(END, encoding="utf-8")
            time.sleep(LOOK)
        except FileNotFoundError:
            return None  # it has ended meanwhile
    return None
