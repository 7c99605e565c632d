"""The request to the supervisor: environments, ports and the gateway's files of a fleet."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping

from svcgen.compose.fleet import Fleet
from svcgen.errors import SvcgenError
from svcgen.gateway.envoy.files import LocalPlacement, edge_files
from svcgen.ports import free_port
from svcgen.run.engine import FleetRequest
from svcgen.run.local.environment import service_environment
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ServicePlan, UpRequest
from svcgen.run.local.supervisor.envoy import find_envoy
from svcgen.run.local.supervisor.postgres import find_postgres
from svcgen.service import Service
from svcgen.toolchains import surroundings

READY_SECONDS = 60.0


def build_request(request: FleetRequest, paths: Paths) -> UpRequest:
    """Return the request that brings up a fleet; ports between services stay as they are.

    Raises SvcgenError when make, Envoy or PostgreSQL does not exist.
    """
    fleet = request.fleet
    internal = {name: request.before.internal.get(name) or free_port() for name in fleet.called}
    placement = LocalPlacement(request.port, paths.gateway, paths.admin, internal)
    return UpRequest(
        services=_plans(fleet, internal),
        port=request.port,
        seconds=float(os.environ.get("SVCGEN_READY_SECONDS", READY_SECONDS)),
        only=tuple(sorted(request.only)),
        replaced=tuple(sorted(request.replaced)),
        scale=dict(request.scale),
        internal=internal,
        files=edge_files(fleet.table, fleet.upstreams, placement, fleet.settings.gateway),
        programs=_programs(fleet.services),
    )


def _plans(fleet: Fleet, internal: Mapping[str, int]) -> tuple[ServicePlan, ...]:
    health = {upstream.service: upstream.health_path for upstream in fleet.upstreams}
    calls = {registration.service: registration.calls for registration in fleet.registrations}
    return tuple(
        ServicePlan(
            name=service.name,
            folder=str(service.folder),
            database=service.database == "postgres",
            health=health[service.name],
            environment=surroundings(
                service.stack,
                service_environment(
                    service.name,
                    {name: internal[name] for name in calls[service.name]},
                    fleet.settings.environment,
                ),
            ),
        )
        for service in fleet.services
    )


def _programs(services: Iterable[Service]) -> dict[str, str]:
    if not shutil.which("make"):
        raise SvcgenError("make is not on PATH; it starts the services.", "Install GNU make.")
    programs = {"envoy": str(find_envoy())}
    if any(service.database == "postgres" for service in services):
        programs["postgres"] = str(find_postgres())
    return programs
