"""`svcgen list`: the services of a workspace and who calls whom."""

from __future__ import annotations

from svcgen.workspace import Workspace


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
    """Draw who calls whom, in Mermaid's language: a README shows it as a picture.

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
