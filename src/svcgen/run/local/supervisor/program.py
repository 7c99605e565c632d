"""A program of svcgen.yaml beside the services: a cache, a broker, a mail catcher."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from svcgen.errors import SvcgenError
from svcgen.ports import LOOPBACK, is_free
from svcgen.run.engine import Replica
from svcgen.run.local import processes
from svcgen.run.local.environment import system_environment
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ProgramPlan
from svcgen.run.local.saved import SavedHelper
from svcgen.run.local.supervisor.process import StartedChild, start_child
from svcgen.run.local.supervisor.restart import ProgramSpec, SupervisedProcess

START_SECONDS = 60.0
STOP_SECONDS = 10.0


class RunningProgram:
    """One program, supervised; it has one process and runs in the workspace's root folder."""

    def __init__(self, plan: ProgramPlan, paths: Paths, changed: Callable[[], None]) -> None:
        self.plan = plan
        self._paths = paths
        specification = ProgramSpec(paths, plan.replica, self._start, self._is_ready, changed)
        self.process = SupervisedProcess(specification)

    async def begin(self) -> None:
        """Start it and wait until it is ready; SvcgenError when it is not."""
        if self.plan.port and not is_free(self.plan.port):
            raise SvcgenError(
                f"Port {self.plan.port} of the program '{self.plan.name}' is in use by "
                f"{processes.listener(self.plan.port)}.",
                f"Choose another one in svcgen.yaml: programs.{self.plan.name}.port",
            )
        self.process.begin()
        await self.process.wait_ready(START_SECONDS)

    async def end(self) -> None:
        """Stop it: SIGTERM, then SIGKILL."""
        await self.process.end(STOP_SECONDS)

    def saved(self) -> SavedHelper:
        """Return what an adopting supervisor needs."""
        return SavedHelper(self.plan, self.process.saved(self.plan.port))

    def row(self) -> Replica:
        """Return it as a replica for `ps`."""
        return self.process.row(self.plan.name, self.plan.port)

    async def _start(self) -> StartedChild:
        labels = processes.labels(self._paths.run, self.plan.replica)
        environment = {**system_environment(), **self.plan.environment, **labels}
        log = self._paths.log(self.plan.replica)
        return await start_child(self.plan.command, self._paths.root, environment, log)

    async def _is_ready(self) -> bool:
        """Return whether it accepts connections; without a port, whether it was started."""
        if not self.plan.port:
            return True
        with contextlib.suppress(OSError):
            _reader, writer = await asyncio.open_connection(LOOPBACK, self.plan.port)
            writer.close()
            return True
        return False
