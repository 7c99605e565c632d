"""The side of `svcgen run` in the terminal: it starts the developer's process and waits for it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any

from svcgen.errors import SvcgenError
from svcgen.run.engine import Report
from svcgen.run.local.protocol import LostError, encode, read_reply, requested

LOST = "the supervisor of the fleet has ended; `svcgen up` continues with the fleet"


def serve(
    socket_path: Path, request: dict[str, Any], folder: Path, command: Sequence[str], report: Report
) -> int:
    """Run a command in the foreground with the variables of the supervisor; return its exit code.

    Raises AbsentError, LostError and RefusedError, and SvcgenError when the command does not exist
    or the replicas of the fleet do not become ready again.
    """
    with requested(socket_path, request) as (connection, lines):
        connection.settimeout(None)
        variables: Mapping[str, str] = read_reply(lines, "start", report)
        process = _Foreground(_started(command, folder, variables))
        supervisor = _Replies(lines, report)
        with contextlib.suppress(OSError):  # the supervisor has ended
            connection.sendall(encode({"pid": process.child.pid}))
        reading = threading.Thread(target=supervisor.read, daemon=True)
        reading.start()
        code = process.wait()
        with contextlib.suppress(OSError):
            connection.sendall(encode({"ended": code}))
        reading.join()
        if supervisor.error:
            raise supervisor.error
        return code


def _started(
    command: Sequence[str], folder: Path, variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the command with the shell's variables and the fleet's, which count more."""
    try:
        return subprocess.Popen(command, cwd=folder, env={**os.environ, **variables})
    except OSError as error:
        problem = f"`{command[0]}` cannot be started: {error.strerror}."
        raise SvcgenError(problem, "Correct the command after `--`.") from error


@dataclass
class _Replies:
    """What the supervisor sends while the process runs, and after its end."""

    lines: IO[bytes]
    report: Report
    error: SvcgenError | None = None

    def read(self) -> None:
        """Report progress until the replicas of the fleet serve again."""
        try:
            read_reply(self.lines, "result", self.report)
        except SvcgenError as error:
            self.error = error
        except (LostError, ValueError):
            self.report("svcgen", LOST)


@dataclass
class _Foreground:
    """The process of the terminal. A signal to `svcgen run` ends it, and not svcgen alone."""

    child: subprocess.Popen[bytes]
    signals: list[int] = field(default_factory=list)

    def wait(self) -> int:
        """Wait for its end; return its exit code, or 0 when the user has ended it."""
        with self._passing_signals():
            code = self.child.wait()
        if self.signals:
            return 0
        return code if code >= 0 else 128 - code

    @contextlib.contextmanager
    def _passing_signals(self) -> Iterator[None]:
        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._pass_on) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        self.signals.append(number)
        # A terminal sends Ctrl-C to all of its processes: the child has it already. `make`, which
        # relies on that, ends its own children after SIGTERM alone.
        if number != signal.SIGINT or not sys.stdin.isatty():
            self.child.terminate()
