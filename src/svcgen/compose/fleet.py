"""The services of a workspace with all their files that must fit together, read once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from svcgen.compose.callers import current_callers, read_callers
from svcgen.compose.compose_file import ComposeFile, read_compose_file
from svcgen.env_file import ENV_FILE, Values, read_env_file
from svcgen.errors import SvcgenError, counted
from svcgen.gateway.envoy.clusters import ClusterUpstream, upstream_of
from svcgen.gateway.envoy.external import ExternalUpstream, external_upstream
from svcgen.gateway.external import External, read_external
from svcgen.gateway.issuers import Issuer, configured_issuers
from svcgen.gateway.registration import Registration, read_registration
from svcgen.gateway.routes import Route, route_table
from svcgen.openapi.document import read_document
from svcgen.service import CALLERS_FILE, COMPOSE_FILE, OPENAPI_FILE, REGISTRATION_FILE, Service
from svcgen.settings import SETTINGS_FILE, Settings
from svcgen.strict import StrictError
from svcgen.workspace import Workspace

WRITE_DOCUMENT = "write it with `make generate` in that service"


@dataclass(frozen=True)
class Fault:
    """Something that does not fit together, and the files to correct, relative to the root."""

    files: tuple[str, ...]
    problem: str

    def __str__(self) -> str:
        return f"{' and '.join(self.files)}: {self.problem}"


class FaultsError(SvcgenError):
    """Services that do not fit together: every fault at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        lines = "".join(f"\n  {fault}" for fault in faults)
        problem = f"{counted(len(faults), 'fault')}; nothing was written.{lines}"
        super().__init__(problem, "Correct the files named.")
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Member:
    """One service: its facts, its registration, its compose.yaml and its OpenAPI operations.

    What could not be read is None, and then there is a fault for it. `operations` is None also
    where the gateway exposes no route of the service. `callers` are those of its callers file, and
    None without one. `variables` are those of its `.env`.
    """

    service: Service
    folder: str
    registration: Registration | None
    compose_file: ComposeFile | None
    operations: Mapping[str, Any] | None
    callers: tuple[str, ...] | None = None
    variables: Values = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The service's name, as in its answers file."""
        return self.service.name

    @property
    def calls(self) -> tuple[str, ...]:
        """The names of the services that it calls."""
        return self.registration.calls if self.registration else ()

    def file(self, name: str) -> str:
        """Return the path of one of the service's files, relative to the root."""
        return f"{self.folder}/{name}"

    def route_key(self, name: str) -> str:
        """Return the key of a route in the file of its registration."""
        return f"routes.{name}"


@dataclass(frozen=True)
class ExternalMember:
    """A service that svcgen did not make, with routes at the gateway, as a member of the fleet."""

    registration: External
    operations: None = None

    @property
    def name(self) -> str:
        """Its name in `external`."""
        return self.registration.service

    def file(self, _name: str) -> str:
        """Return the one file that describes it."""
        return SETTINGS_FILE

    def route_key(self, name: str) -> str:
        """Return the key of a route in svcgen.yaml."""
        return f"external.{self.name}.routes.{name}"


@dataclass(frozen=True)
class Fleet:
    """The chosen services, sorted by name, and the gateway in front of them.

    `absent` are called services that the workspace does not have and svcgen.yaml does not name.
    `routed` are the external services with routes; they are in every selection of services.
    `issuers` are those of svcgen.yaml.
    """

    root: Path
    members: tuple[Member, ...]
    settings: Settings
    absent: tuple[str, ...] = ()
    routed: tuple[ExternalMember, ...] = ()
    issuers: tuple[Issuer, ...] = ()

    @property
    def services(self) -> tuple[Service, ...]:
        """The services themselves."""
        return tuple(member.service for member in self.members)

    @property
    def registered(self) -> tuple[Member | ExternalMember, ...]:
        """All that can have routes: the services, and external ones."""
        return (*self.members, *self.routed)

    def route_key(self, route: Route) -> str:
        """Return the key of a route in the file of its registration."""
        owner = next(member for member in self.registered if member.name == route.service)
        return owner.route_key(route.name)

    @property
    def registrations(self) -> tuple[Registration, ...]:
        """The registrations of the services that have a valid one."""
        return tuple(member.registration for member in self.members if member.registration)

    @cached_property
    def table(self) -> tuple[Route, ...]:
        """Every route in match order, internal ones included."""
        external = (member.registration for member in self.routed)
        return route_table((*self.registrations, *external), self.settings.gateway)

    @property
    def upstreams(self) -> tuple[ClusterUpstream, ...]:
        """How the gateway reaches each service."""
        default = self.settings.gateway.timeout_ms
        services = tuple(upstream_of(each, default) for each in self.registrations)
        return (*services, *self.external_upstreams)

    @property
    def external_upstreams(self) -> tuple[ExternalUpstream, ...]:
        """How the gateway reaches each external service with routes."""
        default = self.settings.gateway.timeout_ms
        return tuple(external_upstream(each.registration, default) for each in self.routed)

    def callers_files(self, everyone: Sequence[Member]) -> dict[str, str]:
        """Return the text of each callers file that is not current, by path relative to the root.

        The callers are out of `everyone`, the members of the whole workspace.
        """
        known = [member.name for member in everyone]
        files = {}
        for callee in self.members:
            callers = [member.name for member in everyone if callee.name in member.calls]
            if text := current_callers(callee.callers, callers, known):
                files[callee.file(CALLERS_FILE)] = text
        return files

    @property
    def external(self) -> dict[str, str]:
        """The URL of each external service, by name."""
        return {name: each.url for name, each in self.settings.external.items()}

    @property
    def called(self) -> tuple[str, ...]:
        """The names of the services that others call through the gateway, sorted."""
        names = {name for each in self.registrations for name in each.calls}
        return tuple(sorted(names - self.external.keys()))


def read_fleet(workspace: Workspace) -> tuple[Fleet, tuple[Fault, ...]]:
    """Read all services of a workspace; each file that cannot be read is a fault."""
    faults: list[Fault] = []
    members = tuple(_read_member(workspace, service, faults) for service in workspace.services)
    issuers: tuple[Issuer, ...] = ()
    try:
        issuers = configured_issuers(workspace.root, workspace.settings.gateway)
    except SvcgenError as error:
        problem = error.sentence.removeprefix(f"{SETTINGS_FILE}: ")
        faults.append(Fault((SETTINGS_FILE,), problem))
    routed = tuple(_read_routed(workspace, faults))
    fleet = Fleet(workspace.root, members, workspace.settings, routed=routed, issuers=issuers)
    return fleet, tuple(faults)


def _read_routed(workspace: Workspace, faults: list[Fault]) -> Iterator[ExternalMember]:
    for name, settings in sorted(workspace.settings.external.items()):
        try:
            external = read_external(name, settings, workspace.root)
        except StrictError as error:
            faults += (Fault((file,), problem) for file, problem in error.problems)
        else:
            if external:
                yield ExternalMember(external)


def _read_member(workspace: Workspace, service: Service, faults: list[Fault]) -> Member:
    folder = Path(os.path.relpath(service.folder, workspace.root)).as_posix()
    registration = compose_file = operations = None
    file = f"{folder}/{REGISTRATION_FILE}"
    try:
        overlay = workspace.settings.services.get(service.name)
        registration = read_registration(service.registration, overlay, file)
    except StrictError as error:
        faults += (Fault((file,), problem) for file, problem in error.problems)
    except SvcgenError as error:
        faults.append(Fault((file,), error.problem))
    try:
        compose_file = read_compose_file(service.folder / COMPOSE_FILE, service.name)
    except SvcgenError as error:
        faults.append(Fault((f"{folder}/{COMPOSE_FILE}",), error.problem))
    routes = registration.routes.values() if registration else ()
    if any(route.expose == "gateway" for route in routes):
        try:
            operations = read_document(service.openapi)["paths"]
        except SvcgenError as error:
            problem = f"{error.problem}; {WRITE_DOCUMENT}."
            faults.append(Fault((f"{folder}/{OPENAPI_FILE}",), problem))
    callers = None
    try:
        callers = read_callers(service.folder)
    except SvcgenError as error:
        faults.append(Fault((f"{folder}/{CALLERS_FILE}",), error.sentence))
    variables: Values = {}
    try:
        variables = read_env_file(service.folder)
    except SvcgenError as error:
        faults.append(Fault((f"{folder}/{ENV_FILE}",), error.problem))
    return Member(service, folder, registration, compose_file, operations, callers, variables)
