"""Commands typed at a terminal: what they show, and the answer to what they ask."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.support.run import SOMEBODY


def at_terminal(*words: str | Path, within: Path, asked: str, reply: str) -> tuple[int, str]:
    """Run svcgen at a terminal and answer one question; return its exit code and all it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "svcgen", *words],
        cwd=within,
        env={**os.environ, **SOMEBODY, "TERM": "xterm", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    said = b""
    while asked.encode() not in said:
        said += os.read(ours, 1024)
    os.write(ours, f"{reply}\n".encode())
    while part := _read(ours):
        said += part
    return process.wait(), said.decode(errors="replace")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1024)
    except OSError:  # Linux says so when the other end is closed
        return b""
