"""`svcgen routes`: the gateway's table, and what becomes of one request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from svcgen.workspace import Workspace, require_services

if TYPE_CHECKING:
    from svcgen.gateway.routes import Explanation, Route


def list_routes(workspace: Workspace) -> tuple[Route, ...]:
    """Return the gateway's routes of a workspace, in the order they are tried.

    Raises SvcgenError without services, and FaultsError when they do not fit together.
    """
    from svcgen.compose.write import checked_fleet

    require_services(workspace)
    return checked_fleet(workspace).table


def explain_route(workspace: Workspace, path: str, method: str = "GET") -> Explanation:
    """Say which route wins a request and why, and what the gateway does with it."""
    from svcgen.gateway.routes import explain

    return explain(list_routes(workspace), path, method.upper())
