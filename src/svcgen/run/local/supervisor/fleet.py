"""The fleet of one workspace: its services are started, replaced, scaled and stopped here."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.gateway.apply import LIMITS_FILE
from svcgen.ports import is_free, next_free_port
from svcgen.run.engine import GATEWAY, KILLED, Report
from svcgen.run.local import processes
from svcgen.run.local.logs import bound
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ServicePlan, UpRequest
from svcgen.run.local.saved import SavedFleet, save_fleet
from svcgen.run.local.supervisor.envoy import Gateway
from svcgen.run.local.supervisor.foreground import ForegroundProcess, ForegroundRun
from svcgen.run.local.supervisor.postgres import Database
from svcgen.run.local.supervisor.program import RunningProgram
from svcgen.run.local.supervisor.replica import STOP_SECONDS, SupervisedReplica
from svcgen.run.local.supervisor.service import ProcessRollout, RunningService, Starting
from svcgen.run.local.supervisor.tasks import background, log_error, together
from svcgen.run.rolling import roll

PROGRESS_SECONDS = 5.0


class Supervisor:
    """The fleet of one workspace; one request at a time changes it."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._services: dict[str, RunningService] = {}
        self._gateway: Gateway | None = None
        self._database: Database | None = None
        self._programs: dict[str, RunningProgram] = {}
        self._seconds = 0.0
        self._internal: dict[str, int] = {}
        self.killed: set[str] = set()

    @property
    def idle(self) -> bool:
        """Whether nothing runs."""
        return not (self._services or self._gateway or self._database or self._programs)

    async def adopt(self, saved: SavedFleet) -> None:
        """Continue with what an earlier supervisor has left; what has ended is started again."""
        self._seconds, self._internal = saved.seconds, dict(saved.internal)
        if saved.database:
            program, process = saved.database.program, saved.database.process
            self._database = Database(program, self._paths, self._save, process.port)
            await self._database.process.adopt(process)
        if saved.gateway:
            program, process = saved.gateway.program, saved.gateway.process
            self._gateway = Gateway(program, process.port, self._paths, self._save)
            await self._gateway.process.adopt(process)
        for helper in saved.helpers:
            program_beside = RunningProgram(helper.plan, self._paths, self._save)
            self._programs[helper.plan.name] = program_beside
            await program_beside.process.adopt(helper.process)
        for service in saved.services:
            running = RunningService(service.plan, self._paths, self._save, service.newest)
            self._services[service.plan.name] = running
        await asyncio.gather(
            *(self._services[each.plan.name].adopt(each.replicas) for each in saved.services)
        )
        self._save()

    def _save(self) -> None:
        """Keep what another supervisor needs to continue, should this one be killed."""
        services = tuple(service.saved() for service in self._services.values())
        fleet = SavedFleet(
            pid=os.getpid(),
            seconds=self._seconds,
            gateway=self._gateway.saved() if self._gateway else None,
            database=self._database.saved() if self._database else None,
            services=tuple(service for service in services if service.replicas),
            helpers=tuple(program.saved() for program in self._programs.values()),
            internal=self._internal,
        )
        try:
            save_fleet(self._paths, fleet)
        except OSError as error:  # the file is written again at the next change
            log_error("state", error)

    async def status(self) -> dict[str, Any]:
        """Return the gateway's port, the ports between services, and every replica."""
        running = await asyncio.gather(*(service.rows() for service in self._services.values()))
        rows = [row for each in running for row in each]
        single = (self._database, self._gateway, *self._programs.values())
        others = [program.row() for program in single if program]
        ordered = sorted([*rows, *others], key=lambda row: (row.service, row.number))
        return {
            "port": self._gateway.port if self._gateway else None,
            "internal": self._internal,
            "replicas": [asdict(row) for row in ordered],
            "foreground": [name for name, each in self._services.items() if each.foreground],
            "killed": sorted(self.killed),
        }

    async def up(self, request: UpRequest, report: Report) -> None:
        """Start what does not run, replace, scale, and remove services that no longer exist.

        When a start fails, every replica that this request has started is removed.
        """
        fresh = self._gateway is None
        self._check_port(request.port)
        for name in sorted(self.killed):
            report(name, KILLED)
        self.killed.clear()
        for name in {*request.replaced, *request.scale}:
            self._require_no_foreground(name)
        before = [replica for service in self._services.values() for replica in service.replicas]
        try:
            await self._start_missing(request, report)
        except BaseException:
            await (self.down(report) if fresh else self._remove_since(before))
            raise
        for name in request.replaced:
            await self._replace(request, name, report)
        self._save()
        if request.replaced:
            gateway = self._running_gateway()
            await gateway.apply(request.files)
            for name in request.replaced:  # one may have its first route only now
                await gateway.wait_routable(name, self._running(name).ports)
        await self._remove_surplus(request, report)
        self._save()

    async def restart(self, name: str, report: Report) -> None:
        """Replace the replicas of one service by new ones of the same plan."""
        service = self._running(name)
        self._require_no_foreground(name)
        count = len(service.replicas)
        rollout = ProcessRollout(
            service, service.plan, self._running_gateway(), report, self._seconds
        )
        await roll(rollout, service.replicas, count, surge=1)

    async def change_data(self, postgres: str, name: str, to: str, report: Report) -> None:
        """Rename the database of a service that does not run; drop it when `to` is empty.

        PostgreSQL runs for this alone when no service needs it.
        """
        if name in self._services:
            raise SvcgenError(f"'{name}' uses its database.", "Stop the fleet: svcgen down")
        if self._database:
            await self._database.change(name, to)
        else:
            database = Database(postgres, self._paths, self._save)
            try:
                await database.begin()
                await database.change(name, to)
            finally:
                await database.end()
        report(f"database {name}", f"renamed to {to}" if to else "removed with its data")

    async def foreground(self, request: UpRequest, report: Report) -> ForegroundRun:
        """Prepare the replacement of the one service in `replaced` by a process of `svcgen run`."""
        (name,) = request.replaced
        service, gateway = self._running(name), self._running_gateway()
        self._require_no_foreground(name)
        plan = await self._plan(request, name, report)
        await service.prepare(plan, report)
        await gateway.apply(request.files)
        self._internal = dict(request.internal)
        process = ForegroundProcess(plan, service.next_number(), self._paths)
        service.foreground = process
        return ForegroundRun(service, process, gateway, self._save, request.seconds)

    async def _replace(self, request: UpRequest, name: str, report: Report) -> None:
        """Replace the replicas of one service by new ones of its present plan."""
        plan = await self._plan(request, name, report)
        service, gateway = self._running(name), self._running_gateway()
        await service.prepare(plan, report)
        count = request.scale.get(name, len(service.replicas))
        rollout = ProcessRollout(service, plan, gateway, report, request.seconds)
        await roll(rollout, service.replicas, count, surge=1)
        service.plan = plan
        self._save()

    async def down(self, report: Report) -> None:
        """Stop everything: first the gateway drains, the database ends last."""

        async def stop(service: RunningService) -> None:
            report(service.plan.name, "stopping")
            progress = background(_progress(service.plan.name, report), "progress")
            await service.end()
            progress.cancel()
            report(service.plan.name, "stopped")

        if self._gateway:
            report(GATEWAY, "draining")
            await self._gateway.drain()
        await asyncio.gather(*(stop(service) for service in self._services.values()))
        for last in (self._gateway, *self._programs.values(), self._database):
            if last:
                await last.end()
        self._services, self._gateway, self._database, self._programs = {}, None, None, {}

    def bound_logs(self) -> None:
        """Cut logs that have grown too large."""
        for path in self._paths.logs.glob("*.log"):
            bound(path)

    def _check_port(self, port: int) -> None:
        if self._gateway and self._gateway.port != port:
            raise SvcgenError(
                f"The gateway already uses port {self._gateway.port}.",
                f"Stop it: svcgen down. Then start it: svcgen up --port {port}",
            )
        if self._gateway is None and not is_free(port):
            raise SvcgenError(
                f"Port {port} is in use by {processes.listener(port)}.",
                f"Choose another one: svcgen up --port {next_free_port(port)}",
            )

    async def _start_missing(self, request: UpRequest, report: Report) -> None:
        """Start what services lack and the gateway, and wait until all of it is routable."""
        self._seconds = request.seconds
        await self._start_programs(request, report)
        plans = [await self._with_database(plan, request, report) for plan in request.filled]
        # All processors when nothing runs; else one, because requests need the others.
        turns = 1 if self._gateway else max(2, os.cpu_count() or 2)
        start = Starting(report, request.seconds, asyncio.Semaphore(turns))
        await together(self._fill(plan, request, start) for plan in plans)
        await self._update_gateway(request, report)
        self._internal = dict(request.internal)

    async def _start_programs(self, request: UpRequest, report: Report) -> None:
        """Start the programs of svcgen.yaml that do not run; replace those that changed there.

        A request about some services changes no program that runs.
        """
        wanted = {plan.name: plan for plan in request.helpers}
        for name, program in list(self._programs.items()):
            if not request.only and wanted.get(name) != program.plan:
                report(name, "stopping")
                await program.end()
                del self._programs[name]
        for name in sorted(wanted.keys() - self._programs.keys()):
            report(name, "starting")
            self._programs[name] = RunningProgram(wanted[name], self._paths, self._save)
            try:
                await self._programs[name].begin()
            except BaseException:
                await self._programs.pop(name).end()
                raise
            report(name, "ready")

    async def _plan(self, request: UpRequest, name: str, report: Report) -> ServicePlan:
        plan = next(plan for plan in request.services if plan.name == name)
        return await self._with_database(plan, request, report)

    async def _with_database(
        self, plan: ServicePlan, request: UpRequest, report: Report
    ) -> ServicePlan:
        """Return the plan with its DATABASE_URL; start PostgreSQL when it does not run yet."""
        if not plan.database:
            return plan
        if self._database is None:
            report("database", "starting")
            self._database = Database(request.programs["postgres"], self._paths, self._save)
            await self._database.begin()
            report("database", "ready")
        url = await self._database.address(plan.name)
        return replace(plan, environment={**plan.environment, "DATABASE_URL": url})

    async def _fill(self, plan: ServicePlan, request: UpRequest, start: Starting) -> None:
        """Start the replicas that a service lacks, and wait for those that it has."""
        service = self._services.setdefault(
            plan.name, RunningService(plan, self._paths, self._save)
        )
        if service.foreground:
            return
        running = len(service.replicas)
        wanted = request.scale.get(plan.name, running or 1)
        for replica in service.replicas[:wanted]:
            await replica.process.wait_ready(request.seconds)
        if wanted > running:
            await service.fill(service.plan if running else plan, wanted - running, start)

    async def _update_gateway(self, request: UpRequest, report: Report) -> None:
        """Start the gateway or change its files, and wait until it routes to all filled services.

        Where services are replaced, their routes change only after their replacement.
        """
        if self._gateway is None:
            report(GATEWAY, "starting")
            program = request.programs["envoy"]
            self._gateway = Gateway(program, request.port, self._paths, self._save)
            await self._gateway.begin(request.files)
        else:
            await self._gateway.process.wait_ready(request.seconds)
            if not request.replaced:
                await self._gateway.apply(request.files)
            elif request.filled or request.internal.keys() - self._internal.keys():
                # The new replicas may call a service that was not called before.
                later = {"rds.json", LIMITS_FILE}
                files = {name: text for name, text in request.files.items() if name not in later}
                await self._gateway.apply(files)
        for service in [self._services[plan.name] for plan in request.filled]:
            if not service.foreground:  # a developer may have stopped it
                await self._gateway.wait_routable(service.plan.name, service.ports)
        report(GATEWAY, "ready")

    async def _remove_surplus(self, request: UpRequest, report: Report) -> None:
        """Remove replicas above the scale; remove old services unless only some may change."""
        for plan in request.filled:
            service = self._services[plan.name]
            if surplus := service.replicas[request.scale.get(plan.name, len(service.replicas)) :]:
                report(plan.name, "draining")
                await service.remove(surplus)
        if request.only:
            return
        for name in self._services.keys() - {plan.name for plan in request.services}:
            report(name, "draining")
            service = self._services.pop(name)
            await service.end()
            service.unpublish()

    async def _remove_since(self, before: Iterable[SupervisedReplica]) -> None:
        """Remove the replicas that were started since, and services without any."""
        earlier = set(before)
        for name, service in list(self._services.items()):
            await service.remove(
                [replica for replica in service.replicas if replica not in earlier]
            )
            if not (service.replicas or service.foreground):
                del self._services[name]

    def _running(self, name: str) -> RunningService:
        if name not in self._services:
            raise SvcgenError(f"'{name}' is not running.", f"Start it: svcgen up {name}")
        return self._services[name]

    def _require_no_foreground(self, name: str) -> None:
        service = self._services.get(name)
        if service and service.foreground:
            raise SvcgenError(
                f"`svcgen run` serves {name} (process {service.foreground.pid}).",
                "End it first: Ctrl-C in its terminal.",
            )

    def _running_gateway(self) -> Gateway:
        if self._gateway is None:
            raise SvcgenError("The gateway is not running.", "Start it: svcgen up")
        return self._gateway


async def _progress(name: str, report: Report) -> None:
    """Report every few seconds that a service still stops."""
    began = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        seconds = time.monotonic() - began
        report(name, f"stopping for {seconds:.0f} s; killed after {STOP_SECONDS:.0f} s")
