"""What runs of a fleet whose supervisor was killed: its processes, asked one by one."""

from __future__ import annotations

import asyncio

from svcgen.ports import LOOPBACK
from svcgen.run.engine import GATEWAY, FleetState, Replica
from svcgen.run.local import processes
from svcgen.run.local.paths import Paths
from svcgen.run.local.saved import SavedFleet, SavedProcess, read_fleet
from svcgen.run.local.supervisor.probe import is_ready


def observe_left(paths: Paths) -> FleetState:
    """Return what a killed supervisor has left, with its present readiness."""
    left = processes.find(paths.run)
    saved = read_fleet(paths)
    if saved is None:
        rows = {process.replica: _unknown(process.replica, process.pid) for process in left}
        return FleetState(bool(left), replicas=tuple(rows[name] for name in sorted(rows) if name))
    port = saved.gateway.process.port if saved.gateway else None
    rows_now = asyncio.run(_rows(saved))
    return FleetState(bool(left), port, rows_now, saved.internal)


async def _rows(saved: SavedFleet) -> tuple[Replica, ...]:
    asked = []
    if saved.database:
        asked.append(_row("database", saved.database.process, ""))
    if saved.gateway:
        asked.append(_row(GATEWAY, saved.gateway.process, "/readyz"))
    asked += [_row(helper.plan.name, helper.process, "") for helper in saved.helpers]
    for service in saved.services:
        asked += [_row(service.plan.name, each, service.plan.health) for each in service.replicas]
    rows = await asyncio.gather(*asked)
    return tuple(sorted(rows, key=lambda row: (row.service, row.number)))


async def _row(service: str, saved: SavedProcess, health: str) -> Replica:
    """Return one replica; without a `health` page it is ready as long as it runs."""
    number, restarts = saved.number, saved.restarts
    if processes.started(saved.pid) != saved.started:
        return Replica(service, number, "exited", restarts)
    ready = not health or await is_ready(saved.port, health)
    pid = await asyncio.to_thread(processes.server_below, saved.pid, saved.port)
    address = f"{LOOPBACK}:{saved.port}"
    state = "ready" if ready else "unready"
    return Replica(service, number, state, restarts, address, pid or saved.pid)


def _unknown(replica: str, pid: int) -> Replica:
    service, _dash, number = replica.rpartition("-")
    return Replica(service, int(number) if number.isdigit() else 0, "unready", pid=pid)
