"""Commands that are killed in the middle, as a machine that loses its power would."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What changes a disk, by its audit event (docs.python.org/3/library/audit_events.html). A program
# that is started may change it too: git does.
_STARTS = "subprocess.Popen"
_CHANGES = frozenset(
    f"os.{name}"
    for name in ("rename", "remove", "mkdir", "rmdir", "symlink", "link", "chmod", "truncate")
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def run(words: list[str], within: Path, before: Callable[[], None] = lambda: None) -> int:
    """Run a command in a process of its own; return its exit code, negative for a signal.

    It is forked off a process that has all modules loaded, which takes a tenth of a new one.
    """
    from svcgen.cli.app import app

    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        _wait_for_others(child)
        return code
    code = 70
    try:
        os.setsid()
        os.chdir(within)
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        before()
        app(words, standalone_mode=True)
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        os._exit(code)


def _wait_for_others(session: int) -> None:
    """Wait for what the killed one had started: git goes on with its commit, and holds its lock."""
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.killpg(session, 0)
            time.sleep(0.005)


def killed_at(number: int, words: list[str], within: Path) -> bool:
    """Run a command, killed before its n-th change to a folder; tell whether it came to that."""
    return run(words, within, lambda: _kill_at(number, within)) == -signal.SIGKILL


def killed_after(seconds: float, words: list[str], within: Path) -> bool:
    """Run a command, killed after some time; tell whether it had not ended before."""

    def clock() -> None:
        signal.signal(signal.SIGALRM, lambda *_: _die())
        signal.setitimer(signal.ITIMER_REAL, seconds)

    return run(words, within, clock) == -signal.SIGKILL


def duration(words: list[str], within: Path) -> float:
    """Return the seconds that a command takes."""
    began = time.monotonic()
    assert run(words, within) == 0
    return time.monotonic() - began


def moments(count: int, most: float) -> list[float]:
    """Draw moments of a run that takes `most` seconds, always the same ones."""
    draw = random.Random(5)
    return [draw.uniform(0.001, most) for _ in range(count)]


def _kill_at(number: int, folder: Path) -> None:
    left = [number]

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        changes = _changes(event, arguments) and _touches(event, arguments, folder)
        if not changes and event != _STARTS:
            return
        left[0] -= 1
        if left[0] == 0:
            _die()

    sys.addaudithook(count)
    synced = os.fsync

    def fsync(handle: Any) -> None:
        count("os.rename", (str(folder),))
        synced(handle)

    setattr(os, "fsync", fsync)  # noqa: B010 (it has no audit event, and mypy knows its one type)


def _changes(event: str, arguments: tuple[Any, ...]) -> bool:
    return event in _CHANGES or (event == "open" and bool((arguments[2] or 0) & _WRITING))


def _touches(event: str, arguments: tuple[Any, ...], folder: Path) -> bool:
    """Tell whether a change is below a folder: not in a temporary one, and not of a pipe."""
    named, last = (arguments[:1], None) if event == "open" else (arguments[:2], arguments[-1])
    paths = [os.fsdecode(one) for one in named if isinstance(one, (str, bytes, os.PathLike))]
    return any((_opened(last, folder) / one).is_relative_to(folder) for one in paths)


def _opened(handle: object, folder: Path) -> Path:
    """Return the folder that a relative path starts in: that of a handle, else the command's."""
    try:
        return Path(f"/proc/self/fd/{handle}").readlink()
    except OSError:
        return folder


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
