"""A program in a new session with its output in a file: it survives the process that started it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from svcgen.run.local.logs import last_lines

MAKE_ERROR = re.compile(r"\*\*\* \[[^]]*\] (?P<end>.+)$")


@dataclass(frozen=True)
class Child:
    """A started program: `make` for a service, the server itself for gateway and database."""

    process: asyncio.subprocess.Process
    log: Path

    @property
    def pid(self) -> int:
        """Also its session and process group."""
        return self.process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended and was waited for."""
        return self.process.returncode is not None

    async def wait(self) -> int:
        """Return the exit code when it has ended; a signal that ended it as a negative number."""
        return await self.process.wait()

    def send(self, number: signal.Signals) -> None:
        """Signal the whole group."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def how_it_ended(self) -> str:
        """Return the exit code of the server itself, which make reports; make's own is always 2."""
        code = self.process.returncode or 0
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        matches = [MAKE_ERROR.search(line) for line in last_lines(self.log, 3)]
        ends = [match["end"] for match in matches if match]
        if code == 0 or not ends:
            return f"exit code {code}"
        number = ends[-1].split()[-1]  # "Error 3", in the language of make
        return f"exit code {number}" if number.isdigit() else f"ended by a signal: {ends[-1]}"


async def start_child(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], log: Path
) -> Child:
    """Start a program; OSError when the program or the folder does not exist."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    return Child(process, log)


async def run_to_end(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    seconds: float,
) -> Child:
    """Run a program; its group is killed after `seconds`, and when this is cancelled."""
    child = await start_child(command, folder, environment, log)
    try:
        await asyncio.wait_for(child.wait(), seconds)
    except TimeoutError:
        child.send(signal.SIGKILL)
        await child.wait()
    except asyncio.CancelledError:
        child.send(signal.SIGKILL)
        raise
    return child
