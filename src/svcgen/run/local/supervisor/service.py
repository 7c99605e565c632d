"""One service that runs: its replicas, and the file with their addresses for the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from svcgen.files import read_text
from svcgen.gateway.apply import replace_text
from svcgen.gateway.envoy.clusters import endpoints_file
from svcgen.ports import LOOPBACK
from svcgen.run.engine import Report
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ServicePlan
from svcgen.run.local.supervisor.envoy import Gateway
from svcgen.run.local.supervisor.replica import SupervisedReplica, migrate

NOTICE_SECONDS = 0.1
"""Envoy reads an endpoints file within 20 ms after it is renamed into place (measured)."""


@dataclass(frozen=True)
class Starting:
    """How replicas are started: progress, seconds for replica, and how many start at once."""

    report: Report
    seconds: float
    turns: asyncio.Semaphore


class RunningService:
    """The replicas of a service; the gateway's list of them is always current."""

    def __init__(self, plan: ServicePlan, paths: Paths) -> None:
        self.plan = plan
        self.replicas: list[SupervisedReplica] = []
        self._paths = paths

    @property
    def ports(self) -> list[int]:
        """The ports of the replicas that serve requests."""
        return [replica.port for replica in self.replicas if replica.serving]

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

    def start(self, plan: ServicePlan) -> SupervisedReplica:
        """Start one replica with the lowest unused number; do not wait for it."""
        taken = {replica.number for replica in self.replicas}
        number = next(n for n in range(1, len(taken) + 2) if n not in taken)
        replica = SupervisedReplica(plan, number, self._paths, self.publish)
        self.replicas.append(replica)
        replica.process.begin()
        return replica

    async def remove(self, replicas: Sequence[SupervisedReplica]) -> None:
        """Remove replicas from the gateway's list, then let them drain and end."""
        for replica in replicas:
            replica.leaving = True
        self.publish()
        await asyncio.sleep(NOTICE_SECONDS)
        await asyncio.gather(*(replica.end() for replica in replicas))
        self.replicas = [replica for replica in self.replicas if replica not in replicas]

    def publish(self) -> None:
        """Write the list of the replicas to which the gateway may send requests."""
        text = endpoints_file(self.plan.name, [(LOOPBACK, port) for port in sorted(self.ports)])
        if read_text(self._list) != text:
            replace_text(self._list, text)

    def unpublish(self) -> None:
        """Remove the gateway's list: the service no longer exists."""
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
