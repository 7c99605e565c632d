"""The request to the supervisor: environments, ports and the gateway's files of a fleet."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from svcgen.compose.fleet import Fleet, Member
from svcgen.compose.validate import refuse_invalid
from svcgen.errors import SvcgenError, raise_all
from svcgen.gateway.apply import steps_to
from svcgen.gateway.envoy.files import LocalPlacement, edge_files
from svcgen.gateway.envoy.jwt import CA_FILE
from svcgen.gateway.tls import publish
from svcgen.ports import LOOPBACK, free_port
from svcgen.run.access import trusted
from svcgen.run.applied import wait_for_local
from svcgen.run.engine import FleetRequest
from svcgen.run.local.environment import platform_environment, resolved, service_environment
from svcgen.run.local.envoy_program import find_envoy
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ProgramPlan, ServicePlan, UpRequest
from svcgen.run.local.supervisor.postgres import find_postgres
from svcgen.run.validation import ask_program
from svcgen.service import Service
from svcgen.settings import SETTINGS_FILE, Settings
from svcgen.toolchains import surroundings

READY_SECONDS = 60.0

# Of Debian and the gateway's image, Fedora, macOS.
CA_FILES = (CA_FILE, "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def build_request(request: FleetRequest, paths: Paths) -> UpRequest:
    """Return the request that brings up a fleet; ports between services stay as they are.

    Raises SvcgenError that names all programs that are missing: make, Envoy, PostgreSQL, and those
    of the stacks. Raises FaultsError when Envoy refuses the gateway's files.
    """
    fleet = request.fleet
    helpers = _helpers(fleet.settings)
    programs = _programs(fleet.services, helpers, paths.root)
    internal = {name: request.before.internal.get(name) or free_port() for name in fleet.called}
    placement = LocalPlacement(
        request.port,
        paths.gateway,
        paths.admin,
        internal,
        ca_file=_ca_file(fleet),
        secrets=paths.certificates,
    )
    files = edge_files(
        fleet.table, fleet.upstreams, placement, fleet.settings.gateway, trusted(fleet)
    )
    if steps_to(paths.gateway, files):
        refuse_invalid(files, fleet, partial(ask_program, Path(programs["envoy"])))
    publish(paths.root, fleet.settings.gateway, wait_for_local(paths))
    return UpRequest(
        services=_plans(fleet, internal),
        port=request.port,
        seconds=float(os.environ.get("SVCGEN_READY_SECONDS", READY_SECONDS)),
        only=tuple(sorted(request.only)),
        replaced=tuple(sorted(request.replaced)),
        scale=dict(request.scale),
        internal=internal,
        files=files,
        programs=programs,
        helpers=helpers,
    )


def _system_ca_file() -> str:
    """Return the file with the certificate authorities that this machine trusts.

    It is where OpenSSL looks, or else where a distribution has it.
    """
    import ssl

    known = (ssl.get_default_verify_paths().cafile, *CA_FILES)
    return next((file for file in known if file and Path(file).is_file()), CA_FILES[0])


def _ca_file(fleet: Fleet) -> str:
    """Return the file of this machine's CA certificates; it exists where something needs it."""
    file = _system_ca_file()
    needed = any(upstream.needs_system_cas for upstream in fleet.external_upstreams)
    needed = needed or any(issuer.url.startswith("https:") for issuer in fleet.issuers)
    if needed and not Path(file).is_file():
        raise SvcgenError(
            f"The gateway verifies an external service or an issuer, but {file} does not exist.",
            "Install the package ca-certificates, or set SSL_CERT_FILE or the key `tls.ca` in "
            f"{SETTINGS_FILE}.",
        )
    return file


def _plans(fleet: Fleet, internal: Mapping[str, int]) -> tuple[ServicePlan, ...]:
    health = {upstream.service: upstream.health_path for upstream in fleet.upstreams}
    return tuple(
        ServicePlan(
            name=member.name,
            folder=str(member.service.folder),
            database=member.service.database == "postgres",
            health=health[member.name],
            environment=surroundings(
                member.service.stack, service_environment(given_variables(fleet, member, internal))
            ),
        )
        for member in fleet.members
    )


def given_variables(fleet: Fleet, member: Member, internal: Mapping[str, int]) -> dict[str, str]:
    """Return what the fleet gives a service without PORT, DATABASE_URL and its tools' variables.

    A called service without a port in `internal` has no variable.
    """
    urls = {name: f"http://{LOOPBACK}:{port}" for name, port in internal.items()} | fleet.external
    called = {name: urls[name] for name in member.calls if name in urls}
    settings = fleet.settings.environment
    return platform_environment(member.name, called, settings, member.variables)


def _helpers(settings: Settings) -> tuple[ProgramPlan, ...]:
    return tuple(
        ProgramPlan(
            name=name,
            command=program.command,
            port=program.port,
            environment=resolved(program.environment),
        )
        for name, program in sorted(settings.programs.items())
    )


def own_programs(*, database: bool) -> tuple[dict[str, str], list[SvcgenError]]:
    """Return the paths of the engine's own programs, and what is missing of them and of make."""
    faults = []
    if not shutil.which("make"):
        problem = "make is not on PATH; it starts the services."
        faults.append(SvcgenError(problem, "Install GNU make."))
    finders: dict[str, Callable[[], Path]] = {"envoy": find_envoy}
    if database:
        finders["postgres"] = find_postgres
    programs = {}
    for name, find in finders.items():
        try:
            programs[name] = str(find())
        except SvcgenError as error:
            faults.append(error)
    return programs, faults


def _programs(
    services: Sequence[Service], helpers: Sequence[ProgramPlan], root: Path
) -> dict[str, str]:
    """Return the paths of Envoy and PostgreSQL, after a check of all programs that are needed."""
    databases = any(service.database == "postgres" for service in services)
    programs, faults = own_programs(database=databases)
    for stack in sorted({service.stack for service in services}):
        try:
            surroundings(stack, os.environ)
        except SvcgenError as error:
            faults.append(error)
    for helper in helpers:
        program = helper.command[0]  # a path is relative to the root, a name is looked up on PATH
        if not shutil.which(root / program if os.sep in program else program):
            problem = f"programs.{helper.name}: the program `{program}` does not exist."
            faults.append(SvcgenError(problem, f"Install it, or correct {SETTINGS_FILE}."))
    raise_all(faults)
    return programs
