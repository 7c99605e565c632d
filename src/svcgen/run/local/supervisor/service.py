"""One service that runs: its replicas, and the file that tells the gateway where they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from svcgen.files import read_text
from svcgen.gateway.apply import replace_text
from svcgen.gateway.envoy.clusters import endpoints_file
from svcgen.run.engine import Report
from svcgen.run.local.net import LOOPBACK
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ServicePlan
from svcgen.run.local.supervisor.replica import SupervisedReplica, migrate

Seen = Callable[[str, Sequence[int]], Awaitable[None]]
"""Returns when the gateway sends requests to these ports of this service."""
NOTICE_SECONDS = 0.1
"""Envoy takes an endpoints file in within 20 ms of its renaming (measured)."""


@dataclass(frozen=True)
class Starting:
    """How replicas are started: who is told, how long each may take, how many take their turn."""

    report: Report
    seconds: float
    turns: asyncio.Semaphore


class RunningService:
    """Replicas come and go; the gateway's list follows at once."""

    def __init__(self, plan: ServicePlan, paths: Paths) -> None:
        self.plan = plan
        self.replicas: list[SupervisedReplica] = []
        self._paths = paths

    async def fill(self, plan: ServicePlan, count: int, start: Starting) -> None:
        """Start replicas and wait for them; those that do not get ready are left to the caller."""
        if not self.replicas:
            self.publish()
            async with start.turns:
                await self.prepare(plan, start.report)
        start.report(plan.name, "starting")
        await asyncio.gather(*(self._add(plan, start) for _ in range(count)))
        start.report(plan.name, "ready")

    async def _add(self, plan: ServicePlan, start: Starting) -> None:
        async with start.turns:
            await self._begin(plan).process.wait_ready(start.seconds)

    async def prepare(self, plan: ServicePlan, report: Report) -> None:
        """Make the service's environment and migrate its database."""
        report(plan.name, "preparing, migrating" if plan.database else "preparing")
        await migrate(plan, self._paths)

    async def remove(self, replicas: Sequence[SupervisedReplica]) -> None:
        """Take replicas from the gateway's list, then let them drain and end."""
        for replica in replicas:
            replica.leaving = True
        self.publish()
        await asyncio.sleep(NOTICE_SECONDS)
        await asyncio.gather(*(replica.end() for replica in replicas))
        self.replicas = [replica for replica in self.replicas if replica not in replicas]

    async def replace(self, plan: ServicePlan, seen: Seen, report: Report, seconds: float) -> None:
        """Put a new replica in the place of each old one, one by one; when one fails, it goes."""
        for number, old in enumerate(tuple(self.replicas), start=1):
            report(plan.name, f"starting replica {number} of {len(self.replicas)}")
            new = self._begin(plan)
            try:
                await new.process.wait_ready(seconds)
                await seen(plan.name, [new.port])
            except BaseException:
                await self.remove([new])
                raise
            report(plan.name, "ready; the old replica finishes its requests")
            await self.remove([old])
        self.plan = plan

    def publish(self) -> None:
        """Tell the gateway which replicas it may use."""
        ports = [replica.port for replica in self.replicas if replica.serving]
        text = endpoints_file(self.plan.name, [(LOOPBACK, port) for port in sorted(ports)])
        if read_text(self._list) != text:
            replace_text(self._list, text)

    def unpublish(self) -> None:
        """Remove the gateway's list: the service has gone for good."""
        self._list.unlink(missing_ok=True)

    @property
    def _list(self) -> Path:
        return self._paths.gateway / "eds" / f"{self.plan.name}.json"

    @property
    def ports(self) -> list[int]:
        """Where it answers now."""
        return [replica.port for replica in self.replicas if replica.serving]

    def _begin(self, plan: ServicePlan) -> SupervisedReplica:
        taken = {replica.number for replica in self.replicas}
        number = next(n for n in range(1, len(taken) + 2) if n not in taken)
        replica = SupervisedReplica(plan, number, self._paths, self.publish)
        self.replicas.append(replica)
        replica.process.begin()
        return replica
