"""A program in a new session with its output in a file: it survives the process that started it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from svcgen.run.local import processes
from svcgen.run.local.logs import last_lines

LOOK_SECONDS = 0.2
MAKE_ERROR = re.compile(r"\*\*\* \[[^]]*\] (?P<end>.+)$")


class Child(Protocol):
    """A program in its own session: `make` for a service, else the server itself."""

    @property
    def pid(self) -> int:
        """Also its session and process group."""

    @property
    def started(self) -> float:
        """When it was started; with the pid it distinguishes it from any later process."""

    @property
    def ended(self) -> bool:
        """Whether it has ended."""

    async def wait(self) -> None:
        """Return when it has ended."""

    def send(self, number: signal.Signals) -> None:
        """Signal the whole group."""

    def how_it_ended(self) -> str:
        """Return the exit code or the signal, in words."""

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines that it wrote, none of an earlier process in the same file."""


@dataclass(frozen=True)
class StartedChild:
    """A child of this process; its output begins at byte `offset` of the file `log`."""

    process: asyncio.subprocess.Process
    log: Path
    offset: int
    started: float

    @property
    def pid(self) -> int:
        """Its pid, session and process group."""
        return self.process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.process.returncode is not None

    async def wait(self) -> None:
        """Return when it has ended."""
        await self.process.wait()

    def send(self, number: signal.Signals) -> None:
        """Signal the whole group."""
        _signal_group(self.pid, number)

    def how_it_ended(self) -> str:
        """Return the exit code of the server itself, which make reports; make's own is always 2."""
        code = self.process.returncode or 0
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        matches = [MAKE_ERROR.search(line) for line in self.last_lines(3)]
        ends = [match["end"] for match in matches if match]
        if code == 0 or not ends:
            return f"exit code {code}"
        number = ends[-1].split()[-1]  # "Error 3", in the language of make
        return f"exit code {number}" if number.isdigit() else f"ended by a signal: {ends[-1]}"

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines that it wrote."""
        return last_lines(self.log, count, self.offset)


@dataclass(frozen=True)
class AdoptedChild:
    """A program that an earlier supervisor started: the kernel does not report its end here."""

    pid: int
    started: float
    log: Path

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return processes.started(self.pid) != self.started

    async def wait(self) -> None:
        """Return when it has ended."""
        while not await asyncio.to_thread(lambda: self.ended):
            await asyncio.sleep(LOOK_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Signal the whole group."""
        if not self.ended:
            _signal_group(self.pid, number)

    def how_it_ended(self) -> str:
        """Return that the exit code is unknown: only a parent can read it."""
        return "its exit code is unknown"

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines that it wrote."""
        return last_lines(self.log, count)


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


async def start_child(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], log: Path
) -> StartedChild:
    """Start a program; OSError when the program or the folder does not exist."""
    with log.open("ab") as output:
        offset = output.tell()
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    return StartedChild(process, log, offset, processes.started(process.pid))


async def run_to_end(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    seconds: float,
) -> StartedChild:
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
