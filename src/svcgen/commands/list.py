"""`svcgen list`: the services of a workspace and who calls whom."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.service import Service
from svcgen.templates.base import Version
from svcgen.templates.changelog import Entry, entries
from svcgen.templates.sources import open_source
from svcgen.templates.versions import compare
from svcgen.workspace import Unreadable, Workspace


def services(workspace: Workspace) -> list[dict[str, str]]:
    """Return one row a service; folders are relative to the workspace."""
    return [
        {
            "name": service.name,
            "stack": service.stack,
            "kind": service.kind,
            "database": service.database,
            "template": service.version,
            "folder": str(service.folder.relative_to(workspace.root)),
        }
        for service in workspace.services
    ]


def call_graph(workspace: Workspace) -> str:
    """Return who calls whom as a Mermaid flowchart, which a README shows as a picture.

    Raises SvcgenError when a registration cannot be read.
    """
    from svcgen.gateway.registration import read_registration

    lines = ["flowchart LR"]
    for service in workspace.services:
        registration = read_registration(service.registration)
        if any(route.expose == "gateway" for route in registration.routes.values()):
            lines.append(f"    gateway([gateway]) --> {service.name}")
        lines += [f"    {service.name} --> {callee}" for callee in registration.calls]
    return "\n".join(lines)


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


def outdated(
    workspace: Workspace, unreadable: Iterable[Unreadable] = ()
) -> tuple[OutdatedService, ...]:
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
    return (*filter(None, found), *broken)


def _compared(
    service: Service, root: Path, newest: Callable[[str], Version]
) -> OutdatedService | None:
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
