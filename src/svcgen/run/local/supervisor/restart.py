"""A supervised program: it is started again, with back-off, when it ends by itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from svcgen.errors import SvcgenError
from svcgen.ports import LOOPBACK
from svcgen.run.engine import Replica
from svcgen.run.local import processes
from svcgen.run.local.logs import last_lines
from svcgen.run.local.supervisor.process import Child

FIRST_DELAY = 0.5
LONGEST_DELAY = 10.0
STEADY_SECONDS = 10.0
"""A program that ran so long is started again after the first delay."""
LOOK_SECONDS = 0.1
SHOWN_LINES = 15


@dataclass(frozen=True)
class ProgramSpec:
    """What is supervised, and how.

    `run` and `name` label its processes. `ready` is asked until it returns true. `changed` is
    called at each change of the state. `port_conflict` returns whether another program took the
    port before this one was ready; then a start with another port may succeed.
    """

    run: str
    name: str
    start: Callable[[], Awaitable[Child]]
    ready: Callable[[], Awaitable[bool]]
    changed: Callable[[], None] = lambda: None
    port_conflict: Callable[[], bool] = lambda: False


class SupervisedProcess:
    """A program and its state: starting, ready, restarting or exited."""

    def __init__(self, program: ProgramSpec) -> None:
        self.name = program.name
        self._program = program
        self.state = "starting"
        self.restarts = 0
        self.child: Child | None = None
        self._failures = 0
        self._ending = False
        self._skip_backoff = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start it, and start it again when it ends."""
        self._task = asyncio.create_task(self._supervise(), name=self.name)

    async def wait_ready(self, seconds: float) -> None:
        """Return when it is ready; SvcgenError with its last lines when it does not."""
        self._skip_backoff.set()
        before = self._failures if self.restarts else 0
        deadline = time.monotonic() + seconds
        while self.state != "ready":
            if self._failures > before or self.state == "exited":
                ended = self.child.how_it_ended() if self.child else "it could not be started"
                raise self._failed(f"{self.name} ended before it was ready ({ended}).")
            if time.monotonic() > deadline:
                raise self._failed(f"{self.name} was not ready within {seconds:g} s.")
            await asyncio.sleep(LOOK_SECONDS)

    async def end(self, stop: Callable[[], None], grace: float) -> None:
        """Stop it with `stop`, and kill it with its group after `grace` seconds."""
        self._ending = True
        self._set_state("exited")
        if self.child and not self.child.ended:
            stop()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.child.wait(), grace)
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._kill_remaining()

    def row(self, service: str, port: int) -> Replica:
        """Return a program that answers at one port as a replica for `ps`."""
        ready = self.state == "ready" and self.child
        address = f"{LOOPBACK}:{port}" if ready else ""
        pid = self.child.pid if self.child and ready else 0
        return Replica(service, 1, self.state, self.restarts, address, pid)

    async def _supervise(self) -> None:
        delay = FIRST_DELAY
        while not self._ending:
            began = time.monotonic()
            await self._run_once()
            if time.monotonic() - began >= STEADY_SECONDS:
                delay = FIRST_DELAY
            self._set_state("restarting")
            await self._kill_remaining()
            self._skip_backoff.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._skip_backoff.wait(), delay)
            delay = min(delay * 2, LONGEST_DELAY)
            self.restarts += 1

    async def _run_once(self) -> None:
        """Start it and return when it has ended."""
        self._set_state("starting")
        try:
            self.child = await self._program.start()
        except OSError:
            self._failures += 1
            return

        async def probe() -> None:
            while not await self._program.ready():
                await asyncio.sleep(LOOK_SECONDS)
            self._set_state("ready")

        probing = asyncio.create_task(probe())
        try:
            await self.child.wait()
        finally:
            probing.cancel()
        if self.state != "ready" and not self._program.port_conflict():
            self._failures += 1

    async def _kill_remaining(self) -> None:
        """Kill the processes that the program has left."""
        await asyncio.to_thread(processes.kill_all, self._program.run, self.name)

    def _set_state(self, state: str) -> None:
        if self._ending:
            state = "exited"
        if state != self.state:
            self.state = state
            self._program.changed()

    def _failed(self, problem: str) -> SvcgenError:
        log = self.child.log if self.child else None
        return not_ready(problem, last_lines(log, SHOWN_LINES) if log else [])


def not_ready(problem: str, lines: list[str]) -> SvcgenError:
    """Return the error of a program, with the last lines of its output."""
    shown = "".join(f"\n  {line}" for line in lines)
    return SvcgenError(problem + (f" Its last lines:{shown}" if lines else ""))
