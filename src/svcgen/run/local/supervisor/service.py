"""One service that runs: its replicas, and the file with their addresses for the gateway."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from svcgen.errors import SvcgenError
from svcgen.files import read_text
from svcgen.gateway.apply import replace_text
from svcgen.gateway.envoy.clusters import endpoints_file
from svcgen.ports import LOOPBACK
from svcgen.run.engine import Replica, Report
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ServicePlan
from svcgen.run.local.saved import SavedProcess, SavedService
from svcgen.run.local.supervisor.envoy import Gateway
from svcgen.run.local.supervisor.replica import SupervisedReplica, migrate
from svcgen.run.local.supervisor.tasks import background, log_error

AGAIN_SECONDS = 1.0
KEPT_LOGS = 3  # of the newest replicas, beside those that run
NOTICE_SECONDS = 0.1
"""Envoy reads an endpoints file within 20 ms after it is renamed into place (measured)."""


@dataclass(frozen=True)
class Starting:
    """How replicas are started: progress, seconds for replica, and how many start at once."""

    report: Report
    seconds: float
    turns: asyncio.Semaphore


class Foreground(Protocol):
    """The process of `svcgen run`, which serves a service in place of its replicas."""

    @property
    def serving(self) -> bool:
        """Whether the gateway sends it the requests."""

    @property
    def port(self) -> int:
        """Where it listens."""

    @property
    def pid(self) -> int:
        """The process that its terminal started; 0 before."""

    def saved(self) -> SavedProcess:
        """Return what another supervisor needs to continue with it as a replica."""

    async def row(self) -> Replica:
        """Return it as a replica for `ps`."""

    async def end(self) -> None:
        """Stop it."""


class RunningService:
    """The replicas of a service; the gateway's list of them is always current."""

    def __init__(
        self, plan: ServicePlan, paths: Paths, changed: Callable[[], None], newest: int = 0
    ) -> None:
        self.plan = plan
        self.replicas: list[SupervisedReplica] = []
        self.foreground: Foreground | None = None
        self._newest = newest
        self._paths = paths
        self._changed = changed
        self._writing: asyncio.Task[None] | None = None

    async def adopt(self, saved: Sequence[SavedProcess]) -> None:
        """Continue with the replicas of an earlier supervisor; start those that have ended."""
        self.replicas = [self._replica(self.plan, replica.number) for replica in saved]
        adoptions = zip(self.replicas, saved, strict=True)
        await asyncio.gather(*(replica.adopt(process) for replica, process in adoptions))
        self._publish_soon()

    def saved(self) -> SavedService:
        """Return what an adopting supervisor needs."""
        replicas = [replica.saved() for replica in self.replicas if replica.proven]
        if self.foreground and self.foreground.serving:
            replicas.append(self.foreground.saved())
        return SavedService(self.plan, self._newest, tuple(replicas))

    @property
    def ports(self) -> list[int]:
        """The ports of what serves requests: the process of `svcgen run` alone, or replicas."""
        if self.foreground and self.foreground.serving:
            return [self.foreground.port]
        return [replica.port for replica in self.replicas if replica.serving]

    async def rows(self) -> list[Replica]:
        """Return what runs of it, for `ps`."""
        running = [replica.row() for replica in self.replicas]
        if self.foreground:
            running.append(self.foreground.row())
        return await asyncio.gather(*running)

    async def fill(self, plan: ServicePlan, count: int, start: Starting) -> None:
        """Start replicas and wait for them; the caller removes those that do not become ready."""

        async def start_one() -> None:
            async with start.turns:
                await self.start(plan).process.wait_ready(start.seconds)

        if not self.replicas:
            self.publish()
            async with start.turns:
                await self.prepare(plan, start.report)
        start.report(plan.name, "starting")
        await asyncio.gather(*(start_one() for _ in range(count)))
        start.report(plan.name, "ready")

    async def prepare(self, plan: ServicePlan, report: Report) -> None:
        """Install the service's dependencies and migrate its database."""
        report(plan.name, "preparing, migrating" if plan.database else "preparing")
        await migrate(plan, self._paths)

    def next_number(self) -> int:
        """Return a number that no replica has had."""
        self._newest += 1
        return self._newest

    def start(self, plan: ServicePlan) -> SupervisedReplica:
        """Start one replica with a number that none has had; do not wait for it."""
        number = self.next_number()
        self._remove_old_logs()
        replica = self._replica(plan, number)
        self.replicas.append(replica)
        replica.process.begin()
        return replica

    def _replica(self, plan: ServicePlan, number: int) -> SupervisedReplica:
        return SupervisedReplica(plan, number, self._paths, self._state_changed)

    async def end(self) -> None:
        """End the replicas, and the process of `svcgen run` if there is one."""
        foreground = [self.foreground.end()] if self.foreground else []
        await asyncio.gather(self.remove(self.replicas), *foreground)

    async def remove(self, replicas: Sequence[SupervisedReplica]) -> None:
        """Remove replicas from the gateway's list, then let them drain and end."""
        for replica in replicas:
            replica.leaving = True
        self._state_changed()
        await asyncio.sleep(NOTICE_SECONDS)
        await asyncio.gather(*(replica.end() for replica in replicas))
        self.replicas = [replica for replica in self.replicas if replica not in replicas]

    def publish(self) -> None:
        """Write the list of the replicas to which the gateway may send requests.

        Raises SvcgenError when it cannot be written: the disk is full, for example.
        """
        text = endpoints_file(self.plan.name, [(LOOPBACK, port) for port in sorted(self.ports)])
        try:
            if read_text(self._list) != text:
                replace_text(self._list, text)
        except OSError as error:
            raise SvcgenError(
                f"{self._list} cannot be written: {error.strerror}.",
                "The gateway does not know the new replicas yet. Free space on the disk.",
            ) from error

    def _state_changed(self) -> None:
        self._publish_soon()
        self._changed()

    def _publish_soon(self) -> None:
        """Write the list now, or as soon as that is possible."""
        try:
            self.publish()
        except SvcgenError as error:
            if self._writing is None or self._writing.done():
                log_error(self.plan.name, error)
                self._writing = background(self._keep_publishing(), f"{self.plan.name}: replicas")

    async def _keep_publishing(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            with contextlib.suppress(SvcgenError):
                return self.publish()

    def _remove_old_logs(self) -> None:
        """Remove the logs of replicas that ended long ago: each replica has its own file."""
        running = {replica.number for replica in self.replicas}
        for number in range(1, self._newest - KEPT_LOGS + 1):
            if number not in running:
                self._paths.log(f"{self.plan.name}-{number}").unlink(missing_ok=True)

    def unpublish(self) -> None:
        """Remove the gateway's list: the service no longer exists."""
        if self._writing:
            self._writing.cancel()
        self._list.unlink(missing_ok=True)

    @property
    def _list(self) -> Path:
        return self._paths.gateway / "eds" / f"{self.plan.name}.json"


class ProcessRollout:
    """The steps of `svcgen.run.rolling.roll` for one service of the supervisor."""

    def __init__(
        self,
        service: RunningService,
        plan: ServicePlan,
        gateway: Gateway,
        report: Report,
        seconds: float,
    ) -> None:
        self._service = service
        self._plan = plan
        self._gateway = gateway
        self._report = report
        self._seconds = seconds
        self._new: list[SupervisedReplica] = []

    async def start(self, count: int) -> None:
        """Start `count` replicas next to those that run."""
        self._report(self._plan.name, "starting a new replica" if count == 1 else "starting")
        self._new = [self._service.start(self._plan) for _ in range(count)]

    async def wait_ready(self) -> None:
        """Wait until the new replicas are ready; SvcgenError after their `seconds`."""
        await asyncio.gather(*(replica.process.wait_ready(self._seconds) for replica in self._new))

    async def wait_routable(self) -> None:
        """Wait until the gateway sends requests to the new replicas."""
        self._service.publish()
        await self._gateway.wait_routable(self._plan.name, [replica.port for replica in self._new])
        self._report(self._plan.name, "ready")

    async def drain(self, replicas: Sequence[SupervisedReplica]) -> None:
        """Stop replicas after they have answered the requests that they have."""
        if replicas:
            old = "the old replica" if len(replicas) == 1 else "old replicas"
            self._report(self._plan.name, f"draining {old}")
            await self._service.remove(replicas)

    async def roll_back(self) -> None:
        """Remove the new replicas."""
        await self._service.remove(self._new)
