"""The services of a workspace with everything that has to fit together, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.compose.compose_file import Stack, read_stack
from svcgen.errors import SvcgenError
from svcgen.gateway.envoy.clusters import Upstream, upstream_of
from svcgen.gateway.registration import Registration, read_registration
from svcgen.gateway.routes import Route, route_table
from svcgen.openapi.document import read_document
from svcgen.service import REGISTRATION_FILE, Service
from svcgen.settings import Settings
from svcgen.strict import StrictError
from svcgen.workspace import Workspace

WRITTEN_BY = "`make generate` there writes it"


@dataclass(frozen=True)
class Fault:
    """Something that does not fit, and the files to correct, relative to the root."""

    files: tuple[str, ...]
    problem: str

    def __str__(self) -> str:
        return f"{' and '.join(self.files)}: {self.problem}"


class FaultsError(SvcgenError):
    """Services that do not fit together: every fault at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        lines = "".join(f"\n  {fault}" for fault in faults)
        super().__init__(f"{count}; nothing was written.{lines}", "Correct the files named.")
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Member:
    """One service: its facts, its registration, its containers and the operations it documents.

    What could not be read is None, and then a fault says so.
    """

    service: Service
    folder: str
    registration: Registration | None
    stack: Stack | None
    operations: Mapping[str, Any] | None

    @property
    def name(self) -> str:
        """The service's name, as its answers file has it."""
        return self.service.name

    def file(self, name: str) -> str:
        """Name one of the service's files relative to the root."""
        return f"{self.folder}/{name}"


@dataclass(frozen=True)
class Fleet:
    """The chosen services, sorted by name, and the gateway in front of them."""

    root: Path
    members: tuple[Member, ...]
    settings: Settings

    @property
    def services(self) -> tuple[Service, ...]:
        """The services themselves."""
        return tuple(member.service for member in self.members)

    @property
    def registrations(self) -> tuple[Registration, ...]:
        """What the services tell the gateway."""
        return tuple(member.registration for member in self.members if member.registration)

    @property
    def table(self) -> tuple[Route, ...]:
        """Every exposed route in match order."""
        return route_table(self.registrations, self.settings.gateway)

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """How each service is reached."""
        default = self.settings.gateway.timeout_ms
        return tuple(upstream_of(each, default) for each in self.registrations)

    @property
    def called(self) -> tuple[str, ...]:
        """The names of the services that others call, sorted."""
        return tuple(sorted({name for each in self.registrations for name in each.calls}))


def read_fleet(workspace: Workspace) -> tuple[Fleet, tuple[Fault, ...]]:
    """Read all services of a workspace, and say what of it cannot be read."""
    faults: list[Fault] = []
    settings = workspace.settings
    members = [_member(workspace.root, each, settings, faults) for each in workspace.services]
    return Fleet(workspace.root, tuple(members), settings), tuple(faults)


def _member(root: Path, service: Service, settings: Settings, faults: list[Fault]) -> Member:
    folder = Path(os.path.relpath(service.folder, root)).as_posix()
    registration = _registration(service, folder, settings, faults)
    exposed = registration and any(
        route.expose == "gateway" for route in registration.routes.values()
    )
    return Member(
        service=service,
        folder=folder,
        registration=registration,
        stack=_stack(service, folder, faults),
        operations=_operations(service, folder, faults) if exposed else None,
    )


def _registration(
    service: Service, folder: str, settings: Settings, faults: list[Fault]
) -> Registration | None:
    shown = f"{folder}/{REGISTRATION_FILE}"
    try:
        overlay = settings.services.get(service.name)
        return read_registration(service.registration, overlay, shown)
    except StrictError as error:
        faults.extend(Fault((file,), problem) for file, problem in error.problems)
    except SvcgenError as error:
        faults.append(Fault((shown,), error.problem))
    return None


def _stack(service: Service, folder: str, faults: list[Fault]) -> Stack | None:
    try:
        return read_stack(service.folder / "compose.yaml", service.name)
    except SvcgenError as error:
        faults.append(Fault((f"{folder}/compose.yaml",), error.problem))
        return None


def _operations(service: Service, folder: str, faults: list[Fault]) -> Mapping[str, Any] | None:
    try:
        paths: Mapping[str, Any] = read_document(service.openapi)["paths"]
    except SvcgenError as error:
        faults.append(Fault((f"{folder}/openapi.json",), f"{error.problem}; {WRITTEN_BY}."))
        return None
    return paths
