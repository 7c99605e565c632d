"""One replica of a service: `make run` in the service's folder, on a port of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from svcgen.run import engine
from svcgen.run.local import processes
from svcgen.run.local.logs import last_lines
from svcgen.run.local.net import LOOPBACK, free_port, is_free, is_ready
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ServicePlan
from svcgen.run.local.supervisor.process import Child, run_to_end, start_child
from svcgen.run.local.supervisor.restart import SHOWN_LINES, Program, SupervisedProcess, not_ready

MAKE = ("make", "--no-print-directory")
STOP_SECONDS = 30.0
"""The contract's drain and 20 s for what is in flight, with some air; compose waits as long."""
PREPARE_SECONDS = 900.0


class SupervisedReplica:
    """A replica that is started again when it ends; each start gets a new port."""

    def __init__(
        self, plan: ServicePlan, number: int, paths: Paths, changed: Callable[[], None]
    ) -> None:
        self.plan = plan
        self.number = number
        self.port = 0
        self.leaving = False
        self._server = 0
        self._paths = paths
        name = f"{plan.name}-{number}"
        self.process = SupervisedProcess(
            Program(name, self._start, self._is_ready, self._clean, changed, self._port_conflict)
        )

    @property
    def serving(self) -> bool:
        """Tell whether the gateway may send requests to it."""
        return self.process.state == "ready" and not self.leaving

    async def end(self) -> None:
        """Ask the server to drain and to end, and end whatever it leaves behind."""
        await self.process.end(self._ask, STOP_SECONDS)

    async def row(self) -> engine.Replica:
        """Return what `ps` shows of it; readiness is asked for now."""
        state = self.process.state
        if state == "ready" and not await is_ready(self.port, self.plan.health):
            state = "unready"
        up = state in {"ready", "unready"}
        address = f"{LOOPBACK}:{self.port}" if up else ""
        pid = self._server if up else 0
        return engine.Replica(
            self.plan.name, self.number, state, self.process.restarts, address, pid
        )

    async def _start(self) -> Child:
        self._server = 0
        self.port = free_port()
        environment = marked(self.plan, self._paths, self.process.name) | {"PORT": str(self.port)}
        log = self._paths.log(self.process.name)
        return await start_child([*MAKE, "run"], Path(self.plan.folder), environment, log)

    async def _is_ready(self) -> bool:
        """Ask it, and make sure that it is this replica that answers."""
        if not self.process.child or not await is_ready(self.port, self.plan.health):
            return False
        pid = self.process.child.pid
        self._server = await asyncio.to_thread(processes.server_below, pid, self.port)
        return self._server != 0

    def _port_conflict(self) -> bool:
        """Tell whether somebody else took the port between its choice and its use."""
        return not is_free(self.port)

    def _ask(self) -> None:
        """Signal the server itself: make, told to end, would not wait for it."""
        try:
            os.kill(self._server, signal.SIGTERM) if self._server else self._ask_group()
        except ProcessLookupError:
            self._ask_group()

    def _ask_group(self) -> None:
        if self.process.child:
            self.process.child.send(signal.SIGTERM)

    def _clean(self) -> None:
        processes.kill_all(self._paths.run, self.process.name)


def marked(plan: ServicePlan, paths: Paths, replica: str) -> dict[str, str]:
    """Return the environment of a service's process, with the labels that let it be found."""
    return {**plan.environment, **processes.labels(paths.run, replica)}


async def migrate(plan: ServicePlan, paths: Paths) -> None:
    """Run `make migrate`, which also prepares a fresh checkout; SvcgenError when it fails."""
    name = f"{plan.name}-migrate"
    log = paths.log(name)
    command = [*MAKE, "migrate"]
    environment: Mapping[str, str] = marked(plan, paths, name)
    child = await run_to_end(command, Path(plan.folder), environment, log, PREPARE_SECONDS)
    if child.process.returncode:
        problem = f"{plan.name}: `make migrate` failed ({child.how_it_ended()})."
        raise not_ready(problem, last_lines(log, SHOWN_LINES))
