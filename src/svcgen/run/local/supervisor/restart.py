"""A supervised program: it is started again, with back-off, when it ends by itself."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from svcgen.errors import SvcgenError
from svcgen.ports import LOOPBACK
from svcgen.run.engine import REPEAT, Replica
from svcgen.run.local import processes
from svcgen.run.local.paths import Paths
from svcgen.run.local.saved import SavedProcess
from svcgen.run.local.supervisor.process import AdoptedChild, Child
from svcgen.run.local.supervisor.tasks import background, log_error

FIRST_DELAY = 0.5
LONGEST_DELAY = 10.0
STEADY_SECONDS = 10.0
"""A program that ran so long is started again after the first delay."""
LOOK_SECONDS = 0.1
SHOWN_LINES = 15
SMALLEST_FREE = 64 * 1024
"""Bytes: with less, what a program writes may be what ends it."""


@dataclass(frozen=True)
class ProgramSpec:
    """What is supervised, and how.

    `paths` and `name` label its processes and name its log. `ready` is asked until it returns true.
    `changed` is called at each change of the state. `port_conflict` returns whether another program
    took the port before this one was ready; then a start with another port may succeed.
    """

    paths: Paths
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
        self._task = background(self._supervise(), self.name)

    async def adopt(self, saved: SavedProcess) -> None:
        """Continue with a process that an earlier supervisor started; start it when it has ended.

        A process that is ready stays ready without a moment in which it is not.
        """
        self.restarts = saved.restarts
        child = AdoptedChild(saved.pid, saved.started, self._program.paths.log(self.name))
        if not child.ended:
            self.child = child
            with contextlib.suppress(OSError):
                self.state = "ready" if await self._program.ready() else "starting"
        self.begin()

    def saved(self, port: int, number: int = 1) -> SavedProcess:
        """Return what `adopt` needs; the process may have ended meanwhile."""
        pid, started = (self.child.pid, self.child.started) if self.child else (0, 0.0)
        return SavedProcess(pid, started, port, number, self.restarts)

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

    async def end(self, grace: float, stop: Callable[[], None] | None = None) -> None:
        """Stop it with `stop`, or SIGTERM to its group; kill the group after `grace` seconds."""
        self._ending = True
        self._set_state("exited")
        if self.child and not self.child.ended:
            if stop:
                stop()
            else:
                self.child.send(signal.SIGTERM)
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
            try:
                await self._run_once()
                self._set_state("restarting")
                await self._kill_remaining()
            except Exception as error:  # a full disk, for example: the next start may succeed
                log_error(self.name, error)
                self._set_state("restarting")
            if time.monotonic() - began >= STEADY_SECONDS:
                delay = FIRST_DELAY
            self._skip_backoff.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._skip_backoff.wait(), delay)
            delay = min(delay * 2, LONGEST_DELAY)
            self.restarts += 1

    async def _run_once(self) -> None:
        """Start it, unless it was adopted, and return when it has ended."""
        if self.child is None or self.child.ended:
            self._set_state("starting")
            try:
                self.child = await self._program.start()
            except OSError as error:
                log_error(self.name, error)
                self._failures += 1
                return
        probing = background(self._probe(), f"{self.name}: readiness")
        try:
            await self.child.wait()
        finally:
            probing.cancel()
        if self.state != "ready" and not self._program.port_conflict():
            self._failures += 1

    async def _probe(self) -> None:
        """Return when it is ready; an error of one look is logged once, and the next look follows.

        What is ready already, an adopted program, is not asked again.
        """
        failed = False
        while self.state != "ready":
            try:
                if await self._program.ready():
                    self._set_state("ready")
                    return
            except Exception as error:
                if not failed:
                    log_error(f"{self.name}: readiness", error)
                failed = True
            await asyncio.sleep(LOOK_SECONDS)

    async def _kill_remaining(self) -> None:
        """Kill the processes that the program has left."""
        await asyncio.to_thread(processes.kill_all, self._program.paths.run, self.name)

    def _set_state(self, state: str) -> None:
        if self._ending:
            state = "exited"
        if state != self.state:
            self.state = state
            self._program.changed()

    def _failed(self, problem: str) -> SvcgenError:
        if shutil.disk_usage(self._program.paths.state).free < SMALLEST_FREE:
            problem += f" The disk of {self._program.paths.state} is full."
        return not_ready(problem, self.child.last_lines(SHOWN_LINES) if self.child else [])


def not_ready(problem: str, lines: list[str]) -> SvcgenError:
    """Return the error of a program, with the last lines of its output."""
    shown = "".join(f"\n  {line}" for line in lines)
    return SvcgenError(problem + (f" Its last lines:{shown}" if lines else ""), REPEAT)
