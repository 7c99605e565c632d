"""The side of `svcgen run` in the terminal: it starts the developer's process and waits for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from svcgen.errors import SvcgenError
from svcgen.run.engine import Command, Report
from svcgen.run.foreground import ForegroundCommand, started
from svcgen.run.local.protocol import LostError, encode, read_reply, requested

LOST = "the supervisor of the fleet has ended; `svcgen up` continues with the fleet"


def serve(
    socket_path: Path, request: dict[str, Any], folder: Path, command: Command, report: Report
) -> int:
    """Run a command in the foreground with the variables of the supervisor; return its exit code.

    Raises AbsentError, LostError and RefusedError, and SvcgenError when the command does not exist
    or the replicas of the fleet do not become ready again.
    """
    with requested(socket_path, request) as (connection, lines):
        connection.settimeout(None)
        variables: Mapping[str, str] = read_reply(lines, "start", report)
        process = ForegroundCommand(started(command(variables), folder, variables))
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
