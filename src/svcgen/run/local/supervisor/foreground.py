"""A service that `svcgen run` serves: its process is in a terminal, and not a child of this one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from svcgen.errors import SvcgenError
from svcgen.ports import LOOPBACK, free_port
from svcgen.run.engine import Replica, Report
from svcgen.run.local import processes
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ServicePlan
from svcgen.run.local.saved import SavedProcess
from svcgen.run.local.supervisor.envoy import Gateway
from svcgen.run.local.supervisor.probe import is_ready
from svcgen.run.local.supervisor.replica import STOP_SECONDS, SupervisedReplica, labelled
from svcgen.run.local.supervisor.service import RunningService

LOOK_SECONDS = 0.2
END_SECONDS = 10.0  # for a process whose `svcgen run` was killed


class ForegroundProcess:
    """The process of `svcgen run`; it is a replica of its service from its first readiness on."""

    def __init__(self, plan: ServicePlan, number: int, paths: Paths) -> None:
        self.plan = plan
        self.port = free_port()
        self.pid = 0
        self.serving = False
        self._number = number
        self._started = 0.0
        self._paths = paths
        self._name = f"{plan.name}-{number}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its service, with the labels by which it is found."""
        return labelled(self.plan, self._paths, self._name) | {"PORT": str(self.port)}

    def begin(self, pid: int) -> None:
        """Take note of the process that `svcgen run` has started."""
        self.pid, self._started = pid, processes.started(pid)

    async def wait_ready(self) -> None:
        """Return when it answers; there is no limit, as a developer starts and stops it."""
        while not await is_ready(self.port, self.plan.health):
            await asyncio.sleep(LOOK_SECONDS)

    def saved(self) -> SavedProcess:
        """Return what another supervisor needs to continue with it as a replica."""
        return SavedProcess(self.pid, self._started, self.port, self._number)

    async def row(self) -> Replica:
        """Return it as a replica for `ps`."""
        ready = await is_ready(self.port, self.plan.health)
        state = "ready" if ready else "unready" if self.serving else "starting"
        address = f"{LOOPBACK}:{self.port}"
        return Replica(self.plan.name, self._number, state, 0, address, self.pid)

    async def end(self, seconds: float = STOP_SECONDS) -> None:
        """Stop what is left of it: SIGTERM, then SIGKILL.

        It shares the process group of its terminal, so each process is signalled by itself.
        """
        for process in await asyncio.to_thread(self._left):
            processes.send(process, signal.SIGTERM)
        deadline = asyncio.get_running_loop().time() + seconds
        while await asyncio.to_thread(self._left):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.to_thread(processes.kill_all, self._paths.run, self._name)

    def _left(self) -> list[processes.LabelledProcess]:
        return processes.find(self._paths.run, self._name)


class ForegroundRun:
    """One `svcgen run`: its process takes the place of the replicas, and they return at its end."""

    def __init__(
        self,
        service: RunningService,
        process: ForegroundProcess,
        gateway: Gateway,
        changed: Callable[[], None],
        seconds: float,
    ) -> None:
        self.process = process
        self.service = service
        self.over = False
        self._gateway = gateway
        self._changed = changed
        self._seconds = seconds
        self._count = len(service.replicas)

    @property
    def name(self) -> str:
        """The name of the service."""
        return self.service.plan.name

    async def take_over(self, report: Report) -> None:
        """Send the requests to the process, then drain the replicas.

        Raises SvcgenError, and changes nothing, when the gateway does not reach it.
        """
        try:
            self.process.serving = True
            self.service.publish()
            await self._gateway.wait_routable(self.name, [self.process.port])
        except BaseException:
            self.process.serving = False
            self.service.publish()
            raise
        report(self.name, f"requests go to {LOOPBACK}:{self.process.port}, your process")
        self._changed()
        await self.service.remove(self.service.replicas)
        self._changed()

    async def give_back(self, report: Report) -> None:
        """End what is left of the process, and start the replicas that it has replaced.

        One that does not become ready is started again and again; SvcgenError has the reason.
        """
        await self.process.end(END_SECONDS)
        took_over, self.process.serving = self.process.serving, False
        self.service.foreground = None
        self.service.publish()
        if took_over:
            report(self.name, "starting the replica of the fleet again")
            await self._start_replicas()
        self._changed()
        report(self.name, "ready")

    async def _start_replicas(self) -> None:
        service = self.service
        replicas: list[SupervisedReplica] = [
            service.start(service.plan) for _ in range(self._count)
        ]
        try:
            await asyncio.gather(*(each.process.wait_ready(self._seconds) for each in replicas))
        except SvcgenError as error:
            advice = (
                f"Correct it; it is started again until it is ready. See: svcgen logs {self.name}"
            )
            raise SvcgenError(error.problem, advice) from error
        service.publish()
        await self._gateway.wait_routable(self.name, service.ports)
