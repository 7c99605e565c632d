"""Commands typed at a terminal: what they show, and the answer to what they ask."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.run import INTERRUPTED, SOMEBODY


def at_terminal(*words: str | Path, within: Path, asked: str, reply: str) -> tuple[int, str]:
    """Run svcgen at a terminal and answer one question; return its exit code and all it showed."""
    process, ours = _started([sys.executable, "-m", "svcgen", *words], within)
    shown = _shown_until(ours, asked)
    os.write(ours, f"{reply}\n".encode())
    return _ended(process, ours, shown)


def interrupted(*words: str | Path, within: Path, at: str, lines: int = 24) -> tuple[int, str]:
    """Run svcgen at a terminal until it shows `at`, and send what Ctrl-C sends."""
    process, ours = _started([*INTERRUPTED, *words], within, LINES=str(lines))
    shown = _shown_until(ours, at)
    process.send_signal(signal.SIGINT)
    return _ended(process, ours, shown)


def _started(
    command: Sequence[str | Path], within: Path, **variables: str
) -> tuple[subprocess.Popen[bytes], int]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=within,
        env={**os.environ, **SOMEBODY, "TERM": "xterm", "COLUMNS": "100", **variables},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    return process, ours


def _shown_until(terminal: int, part: str) -> bytes:
    shown = b""
    while part.encode() not in shown:
        more = _read(terminal)
        assert more, shown.decode(errors="replace")
        shown += more
    return shown


def _ended(process: subprocess.Popen[bytes], terminal: int, shown: bytes) -> tuple[int, str]:
    while part := _read(terminal):
        shown += part
    return process.wait(), shown.decode(errors="replace")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1024)
    except OSError:  # Linux says so when the other end is closed
        return b""
