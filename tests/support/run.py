"""The command line as tests run it: forked from a process that has imported all of it.

A new `python -m svcgen` imports for most of its time, so commands are forked from a warm process,
one for each process of pytest. Pytest itself is not forked: pytest-xdist's workers have threads,
and the tests fill svcgen's caches. The warm process runs nothing, so each command begins with
empty caches, the given environment and the given directory.

`svcgen_process` starts a real process: for signals, terminals, closed streams, start-up files.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.repository import REPOSITORY

SVCGEN = (sys.executable, "-m", "svcgen")
INTERRUPTED = (  # also where a CI has every process pass Ctrl-C by
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from svcgen.cli.app import main; main()",
)
SOMEBODY = {
    f"GIT_{role}_{what}": "somebody"
    for role in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}


def svcgen(
    *words: str | Path, within: Path, **variables: str | None
) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal; return its exit code and what it printed.

    `variables` are set in its environment, beside a committer's name and no git settings; None
    removes one.
    """
    return _forked("svcgen", words, within, environment(variables))


def copier(*words: str | Path, within: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Copier's own command line in the same way."""
    return _forked("copier", words, within, {**os.environ, **variables})


def _forked(
    program: str, words: Sequence[str | Path], within: Path, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Let the warm process run a program."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        for stream in streams:
            stream.touch()
        request = {
            "program": program,
            "words": [str(word) for word in words],
            "directory": str(within.absolute()),
            "environment": dict(variables),
            "streams": [str(stream) for stream in streams],
        }
        try:
            code = _server().answer(request)
        except BaseException:
            _server().kill()
            raise
        stdout, stderr = (stream.read_text() for stream in streams[1:])
    return subprocess.CompletedProcess([program, *words], code, stdout, stderr)


def svcgen_process(
    *words: str | Path, within: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a new process, as its users do, without a terminal."""
    return subprocess.run(
        [*SVCGEN, *words],
        cwd=within,
        env=environment(variables),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def answered(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    """Return the JSON document that a command printed, after a check of its exit code."""
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def environment(variables: Mapping[str, str | None]) -> dict[str, str]:
    """Return the environment of a command: no git settings of this machine."""
    given = {**os.environ, **SOMEBODY, "GIT_CONFIG_GLOBAL": os.devnull, **variables}
    return {name: value for name, value in given.items() if value is not None}


class _Server:
    """The warm process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.run_server"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # `kill` ends it with all that it has forked
        )
        atexit.register(self.close)

    def answer(self, request: Mapping[str, Any]) -> int:
        """Return the exit code of a command; negative for a signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def kill(self) -> None:
        """End it at once: a test was interrupted, and its command may still run."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.close()
        _server.cache_clear()

    def close(self) -> None:
        """Close its input, which ends it, and wait for its end."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait()


@cache
def _server() -> _Server:
    return _Server()
