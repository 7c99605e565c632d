"""Who runs the fleet: starts, replaces, scales and ends what belongs to one workspace."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.run.engine import GATEWAY, Report
from svcgen.run.local import processes
from svcgen.run.local.logs import bound
from svcgen.run.local.net import free_port, is_free
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ServicePlan, UpRequest
from svcgen.run.local.supervisor.envoy import Gateway
from svcgen.run.local.supervisor.postgres import Database
from svcgen.run.local.supervisor.replica import SupervisedReplica
from svcgen.run.local.supervisor.service import RunningService, Starting


class Supervisor:
    """The fleet of one workspace; one request at a time changes it."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._services: dict[str, RunningService] = {}
        self._gateway: Gateway | None = None
        self._database: Database | None = None
        self._seconds = 0.0
        self._internal: dict[str, int] = {}

    @property
    def idle(self) -> bool:
        """Tell whether there is nothing to look after."""
        return not (self._services or self._gateway or self._database)

    async def status(self) -> dict[str, Any]:
        """Return the gateway's port, the ports between services, and the row of each replica."""
        replicas = [one for service in self._services.values() for one in service.replicas]
        rows = await asyncio.gather(*(replica.row() for replica in replicas))
        others = [one.row() for one in (self._database, self._gateway) if one]
        ordered = sorted([*rows, *others], key=lambda row: (row.service, row.number))
        return {
            "port": self._gateway.port if self._gateway else None,
            "idle": self.idle,
            "internal": self._internal,
            "services": sorted(self._services),
            "replicas": [asdict(row) for row in ordered],
        }

    async def up(self, request: UpRequest, report: Report) -> None:
        """Bring up what does not run, scale, take away what is gone; all or nothing of the new."""
        fresh = self._gateway is None
        self._check_port(request.port)
        before = [replica for service in self._services.values() for replica in service.replicas]
        try:
            await self._bring_up(request, report)
        except BaseException:
            await (self.down(report) if fresh else self._take_away(before))
            raise
        await self._remove_surplus(request, report)

    async def replace(self, request: UpRequest, name: str, report: Report) -> None:
        """Put new replicas of one service in the place of the old ones."""
        plan = await self._with_database(_named(request.services, name), request, report)
        service = self._running(name)
        gateway = self._ready_gateway()
        if request.internal.keys() - self._internal.keys():
            # The new replicas call a service that was not called before: its port comes first.
            await gateway.apply({k: text for k, text in request.files.items() if k != "rds.json"})
        await service.prepare(plan, report)
        await service.replace(plan, gateway.wait_routable, report, request.seconds)
        await gateway.apply(request.files)
        self._internal = dict(request.internal)

    async def restart(self, name: str, report: Report) -> None:
        """Put fresh replicas of the same service in the place of the old ones."""
        service = self._running(name)
        gateway = self._ready_gateway()
        await service.replace(service.plan, gateway.wait_routable, report, self._seconds)

    async def down(self, report: Report) -> None:
        """End everything, the gateway's requests first, the database last."""
        if self._gateway:
            report(GATEWAY, "draining")
            await self._gateway.drain()
        await asyncio.gather(*(self._end(service, report) for service in self._services.values()))
        for last in (self._gateway, self._database):
            if last:
                await last.end()
        self._services, self._gateway, self._database = {}, None, None

    def bound_logs(self) -> None:
        """Keep the logs from filling the disk."""
        for path in self._paths.logs.glob("*.log"):
            bound(path)

    async def _end(self, service: RunningService, report: Report) -> None:
        report(service.plan.name, "stopping")
        await service.remove(service.replicas)
        report(service.plan.name, "stopped")

    def _check_port(self, port: int) -> None:
        if self._gateway and self._gateway.port != port:
            raise SvcgenError(
                f"The gateway already answers on port {self._gateway.port}.",
                f"`svcgen down` ends it; then `svcgen up --port {port}`.",
            )
        if self._gateway is None and not is_free(port):
            raise SvcgenError(
                f"Port {port} is in use by {processes.listener(port)}.",
                f"Choose another one: `svcgen up --port {_near(port)}`.",
            )

    async def _bring_up(self, request: UpRequest, report: Report) -> None:
        self._seconds = request.seconds
        plans = [await self._with_database(plan, request, report) for plan in request.touched]
        start = self._starting(request, report)
        await _together(self._fill(plan, request, start) for plan in plans)
        await self._show(request, report)
        self._internal = dict(request.internal)

    async def _with_database(
        self, plan: ServicePlan, request: UpRequest, report: Report
    ) -> ServicePlan:
        """Return the plan with its DATABASE_URL; the first one that needs it starts PostgreSQL."""
        if not plan.database:
            return plan
        if self._database is None:
            report("database", "starting")
            self._database = Database(request.programs["postgres"], self._paths)
            await self._database.begin()
            report("database", "ready")
        url = await self._database.address(plan.name)
        return replace(plan, environment={**plan.environment, "DATABASE_URL": url})

    async def _fill(self, plan: ServicePlan, request: UpRequest, start: Starting) -> None:
        """Start the replicas that a service lacks, and wait for those that it has."""
        service = self._services.setdefault(plan.name, RunningService(plan, self._paths))
        here = len(service.replicas)
        wanted = request.scale.get(plan.name, here or 1)
        for replica in service.replicas[:wanted]:
            await replica.process.wait_ready(request.seconds)
        if wanted > here:
            await service.fill(service.plan if here else plan, wanted - here, start)

    def _starting(self, request: UpRequest, report: Report) -> Starting:
        """Let starts take turns: all processors when nothing runs, else one, for requests go on."""
        turns = 1 if self._gateway else max(2, os.cpu_count() or 2)
        return Starting(report, request.seconds, asyncio.Semaphore(turns))

    async def _show(self, request: UpRequest, report: Report) -> None:
        """Let the gateway route to what is ready, and wait until it has seen all of it."""
        if self._gateway is None:
            report(GATEWAY, "starting")
            self._gateway = Gateway(request.programs["envoy"], request.port, self._paths)
            await self._gateway.begin(request.files)
        else:
            await self._gateway.process.wait_ready(request.seconds)
            await self._gateway.apply(request.files)
        for plan in request.touched:
            await self._gateway.wait_routable(plan.name, self._services[plan.name].ports)
        report(GATEWAY, "ready")

    async def _remove_surplus(self, request: UpRequest, report: Report) -> None:
        for plan in request.touched:
            service = self._services[plan.name]
            if surplus := service.replicas[request.scale.get(plan.name, len(service.replicas)) :]:
                report(plan.name, "draining")
                await service.remove(surplus)
        for name in self._services.keys() - {plan.name for plan in request.services}:
            report(name, "draining")
            service = self._services.pop(name)
            await service.remove(service.replicas)
            service.unpublish()

    async def _take_away(self, before: Iterable[SupervisedReplica]) -> None:
        """End the replicas that were started since, and remove services without any."""
        kept = set(before)
        for name, service in list(self._services.items()):
            await service.remove([one for one in service.replicas if one not in kept])
            if not service.replicas:
                del self._services[name]

    def _running(self, name: str) -> RunningService:
        if name not in self._services:
            raise SvcgenError(f"{name} does not run.", "`svcgen up` starts it.")
        return self._services[name]

    def _ready_gateway(self) -> Gateway:
        if self._gateway is None:
            raise SvcgenError("The gateway does not run.", "`svcgen up` starts it.")
        return self._gateway


def _named(plans: Iterable[ServicePlan], name: str) -> ServicePlan:
    return next(plan for plan in plans if plan.name == name)


def _near(port: int) -> int:
    """Return the next free port above a taken one."""
    above = range(port + 1, min(port + 100, 65536))
    return next((near for near in above if is_free(near)), free_port())


async def _together(jobs: Iterable[Any]) -> None:
    """Run jobs at once; the first fault stops the others, and is raised once they have stopped."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
