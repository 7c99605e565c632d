"""`svcgen list`: the services of a workspace and who calls whom."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.service import Service, has_template
from svcgen.templates.base import Version
from svcgen.templates.changelog import Entry, entries
from svcgen.templates.sources import open_source
from svcgen.templates.versions import compare
from svcgen.workspace import Unreadable, Workspace


@dataclass(frozen=True)
class ListedService:
    """A service of the workspace; `folder` is relative to the workspace's root."""

    name: str
    stack: str
    kind: str
    database: str
    version: str
    folder: str


@dataclass(frozen=True)
class ListResult:
    """The services of the workspace, and the URLs of external ones by name, both sorted by name."""

    services: tuple[ListedService, ...]
    external: Mapping[str, str] = field(default_factory=dict)


def list_services(workspace: Workspace) -> ListResult:
    """Return what `svcgen list` shows, one entry a service."""
    services = tuple(
        ListedService(
            name=service.name,
            stack=service.stack,
            kind=service.kind,
            database=service.database,
            version=service.version,
            folder=str(service.folder.relative_to(workspace.root)),
        )
        for service in workspace.services
    )
    external = sorted(workspace.settings.external.items())
    return ListResult(services, {name: each.url for name, each in external})


@dataclass(frozen=True)
class GraphResult:
    """Who calls whom: each call is a caller and a callee; the gateway calls those exposed.

    `external` are the callees that svcgen.yaml has a URL for, `absent` the others that are not in
    the workspace.
    """

    services: tuple[str, ...]
    exposed: frozenset[str]
    calls: tuple[tuple[str, str], ...]
    external: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def call_graph(workspace: Workspace) -> GraphResult:
    """Read which services call each other.

    Raises SvcgenError when a registration cannot be read.
    """
    from svcgen.gateway.registration import read_registration

    found = {
        service.name: read_registration(service.registration) for service in workspace.services
    }
    called = {name for registration in found.values() for name in registration.calls}
    elsewhere, external = called - found.keys(), workspace.settings.external.keys()
    return GraphResult(
        services=tuple(found),
        exposed=frozenset(
            name
            for name, registration in found.items()
            if any(route.expose == "gateway" for route in registration.routes.values())
        ),
        calls=tuple(
            (caller, callee)
            for caller, registration in found.items()
            for callee in registration.calls
        ),
        external=tuple(sorted(elsewhere & external)),
        absent=tuple(sorted(elsewhere - external)),
    )


_NO_VERSIONS = "Its template is a folder without versions, so there are no updates."


@dataclass(frozen=True)
class OutdatedService:
    """A service with an older template version and the changelog since; or why that is unknown."""

    name: str
    folder: str
    template: str
    version: str
    newest: str = ""
    entries: tuple[Entry, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class OutdatedResult:
    """The services that are behind their template, and those that cannot be compared."""

    services: tuple[OutdatedService, ...]


def outdated(workspace: Workspace, unreadable: Iterable[Unreadable] = ()) -> OutdatedResult:
    """Return the services with an older template version and those that cannot be compared.

    Each template is fetched once, however many services use it; nothing is rendered.
    """

    @cache
    def newest(source: str) -> Version:
        return open_source(source).obtain()

    found = [_compared(service, workspace.root, newest) for service in workspace.services]
    broken = [
        OutdatedService(folder.name, _below(folder, workspace.root), "", "", error=error.problem)
        for folder, error in unreadable
    ]
    return OutdatedResult((*filter(None, found), *broken))


def _compared(
    service: Service, root: Path, newest: Callable[[str], Version]
) -> OutdatedService | None:
    if not has_template(service.folder):
        return None
    about = (service.name, _below(service.folder, root), service.template, service.version)
    try:
        if not service.version:
            return OutdatedService(*about, error=_NO_VERSIONS)
        available = newest(service.template)
        order = compare(service.version, available.name)
        if order > 0:
            open_source(service.template).obtain(service.version)  # raises when it does not exist
    except SvcgenError as error:
        return OutdatedService(*about, error=error.sentence)
    if order >= 0:
        return None
    return OutdatedService(*about, available.name, _changes(available, service.version))


_changes = cache(entries)  # most services of a fleet have one version


def _below(folder: Path, root: Path) -> str:
    return Path(os.path.relpath(folder, root)).as_posix()
