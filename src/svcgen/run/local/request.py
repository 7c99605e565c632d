"""From services on disk to what the supervisor is told: environments, ports, gateway files."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from svcgen.errors import SvcgenError
from svcgen.run.local.net import LOOPBACK, free_port
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ServicePlan, UpRequest
from svcgen.run.local.supervisor.envoy import find_envoy
from svcgen.run.local.supervisor.postgres import find_postgres
from svcgen.service import Service, variable
from svcgen.toolchains import surroundings
from svcgen.workspace import state_folder

if TYPE_CHECKING:
    from svcgen.compose.fleet import Fleet
    from svcgen.run import engine as run

READY_SECONDS = 60.0
OURS = ("VIRTUAL_ENV", "PYTHONHOME", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
"""Variables of the environment and the make that svcgen itself may run in."""


def build_request(fleet: run.FleetRequest, paths: Paths, known: Mapping[str, int]) -> UpRequest:
    """Return the request that brings up a fleet; `known` are the ports between services so far.

    Raises SvcgenError when services do not fit together, and when Envoy or PostgreSQL is missing.
    """
    from svcgen.compose.write import checked_fleet
    from svcgen.gateway.envoy.files import LocalPlacement, edge_files

    state_folder(paths.root)
    found = checked_fleet(fleet.workspace, (), deps=False)
    internal = {name: known.get(name) or free_port() for name in found.called}
    placement = LocalPlacement(fleet.port, paths.gateway, paths.admin, internal)
    return UpRequest(
        services=_plans(found, internal),
        port=fleet.port,
        seconds=float(os.environ.get("SVCGEN_READY_SECONDS", READY_SECONDS)),
        only=tuple(sorted(fleet.only)),
        scale=dict(fleet.scale),
        internal=internal,
        files=edge_files(found.table, found.upstreams, placement, found.settings.gateway),
        programs=_programs(found.services),
    )


def _plans(fleet: Fleet, internal: Mapping[str, int]) -> tuple[ServicePlan, ...]:
    health = {upstream.service: upstream.health_path for upstream in fleet.upstreams}
    calls = {one.service: one.calls for one in fleet.registrations}
    return tuple(
        ServicePlan(
            name=service.name,
            folder=str(service.folder),
            database=service.database == "postgres",
            health=health[service.name],
            environment=surroundings(
                service.stack,
                _environment({name: internal[name] for name in calls[service.name]}),
            ),
        )
        for service in fleet.services
    )


def _environment(called: Mapping[str, int]) -> dict[str, str]:
    """Return this shell's environment, with our `uv` at the end of PATH and the called services."""
    own = {key: value for key, value in os.environ.items() if key not in OURS}
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), sysconfig.get_path("scripts")])
    calls = {f"{variable(name)}_URL": f"http://{LOOPBACK}:{called[name]}" for name in called}
    return {"SERVICE_VERSION": "dev", **own, "PATH": path, **calls}


def _programs(services: Iterable[Service]) -> dict[str, str]:
    if not shutil.which("make"):
        raise SvcgenError("There is no `make` on PATH; services start by it.", "Install GNU make.")
    programs = {"envoy": str(find_envoy())}
    if any(service.database == "postgres" for service in services):
        programs["postgres"] = str(find_postgres())
    return programs
