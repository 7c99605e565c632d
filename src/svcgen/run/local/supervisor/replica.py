"""One replica of a service: `make run` in the service's folder, on its own port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from svcgen.ports import LOOPBACK, free_port, is_free
from svcgen.run.engine import Replica
from svcgen.run.local import processes
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ServicePlan
from svcgen.run.local.saved import SavedProcess
from svcgen.run.local.supervisor.probe import is_ready
from svcgen.run.local.supervisor.process import Child, run_to_end, start_child
from svcgen.run.local.supervisor.restart import (
    SHOWN_LINES,
    ProgramSpec,
    SupervisedProcess,
    not_ready,
)

MAKE = ("make", "--no-print-directory")
STOP_SECONDS = 30.0
"""The contract's drain, 20 s for requests in progress, and a margin; as long as compose."""
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
            ProgramSpec(
                paths,
                name,
                self._start,
                self._is_ready,
                changed,
                lambda: not is_free(self.port),
            )
        )

    @property
    def serving(self) -> bool:
        """Whether the gateway may send requests to it."""
        return self.process.state == "ready" and not self.leaving

    async def adopt(self, saved: SavedProcess) -> None:
        """Continue with the replica of an earlier supervisor."""
        self.port = saved.port
        await self.process.adopt(saved)

    @property
    def proven(self) -> bool:
        """Whether another supervisor should continue with it: it has been ready, and stays."""
        return not self.leaving and (self.process.state == "ready" or self.process.restarts > 0)

    def saved(self) -> SavedProcess:
        """Return what `adopt` needs."""
        return self.process.saved(self.port, self.number)

    async def end(self) -> None:
        """Stop the server after its drain, and kill the processes that it leaves."""
        await self.process.end(STOP_SECONDS, self._terminate)

    async def row(self) -> Replica:
        """Return the replica for `ps`, with its present readiness."""
        state = self.process.state
        if state == "ready" and not await is_ready(self.port, self.plan.health):
            state = "unready"
        up = state in {"ready", "unready"}
        address = f"{LOOPBACK}:{self.port}" if up else ""
        pid = self._server if up else 0
        return Replica(self.plan.name, self.number, state, self.process.restarts, address, pid)

    async def _start(self) -> Child:
        self._server = 0
        self.port = free_port()
        environment = labelled(self.plan, self._paths, self.process.name) | {"PORT": str(self.port)}
        log = self._paths.log(self.process.name)
        return await start_child([*MAKE, "run"], Path(self.plan.folder), environment, log)

    async def _is_ready(self) -> bool:
        """Return whether a server answers, and whether it is this replica."""
        if not self.process.child or not await is_ready(self.port, self.plan.health):
            return False
        pid = self.process.child.pid
        self._server = await asyncio.to_thread(processes.server_below, pid, self.port)
        return self._server != 0

    def _terminate(self) -> None:
        """Signal the server itself: make would end on SIGTERM without waiting for it."""
        with contextlib.suppress(ProcessLookupError):
            if self._server:
                os.kill(self._server, signal.SIGTERM)
                return
        if self.process.child:
            self.process.child.send(signal.SIGTERM)


def labelled(plan: ServicePlan, paths: Paths, replica: str) -> dict[str, str]:
    """Return the environment of a service's process with the labels by which it is found."""
    return {**plan.environment, **processes.labels(paths.run, replica)}


async def migrate(plan: ServicePlan, paths: Paths) -> None:
    """Run `make migrate`, which also prepares a fresh checkout; SvcgenError when it fails."""
    name = f"{plan.name}-migrate"
    log = paths.log(name)
    command = [*MAKE, "migrate"]
    environment: Mapping[str, str] = labelled(plan, paths, name)
    child = await run_to_end(command, Path(plan.folder), environment, log, PREPARE_SECONDS)
    if child.process.returncode:
        problem = f"{plan.name}: `make migrate` failed ({child.how_it_ended()})."
        raise not_ready(problem, child.last_lines(SHOWN_LINES))
