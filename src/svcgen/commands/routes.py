"""`svcgen routes`: the gateway's table, and how it handles one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from svcgen.workspace import Workspace, require_services

if TYPE_CHECKING:
    from svcgen.gateway.routes import Explanation, Route


@dataclass(frozen=True)
class RoutesResult:
    """The gateway's routes of a workspace, in the order in which they are tried."""

    routes: tuple[Route, ...]


def list_routes(workspace: Workspace) -> RoutesResult:
    """Return the gateway's routes of a workspace.

    Raises SvcgenError without services, and FaultsError when they do not fit together.
    """
    from svcgen.compose.write import checked_fleet

    require_services(workspace)
    return RoutesResult(checked_fleet(workspace).table)


def explain_route(workspace: Workspace, path: str, method: str = "GET") -> Explanation:
    """Return which route wins a request and why, and how the gateway handles it."""
    from svcgen.gateway.routes import explain

    return explain(list_routes(workspace).routes, path, method.upper())
