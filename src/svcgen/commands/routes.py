"""`svcgen routes`: the gateway's table, and what becomes of one request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svcgen.gateway.routes import Explanation, Route


def list_routes(start: Path) -> tuple[Route, ...]:
    """Return the gateway's routes for the workspace at `start`, in the order they are tried.

    Raises FaultsError when the services do not fit together.
    """
    from svcgen.compose.write import checked_fleet
    from svcgen.workspace import open_workspace

    return checked_fleet(open_workspace(start)).table


def explain_route(start: Path, path: str, method: str = "GET") -> Explanation:
    """Say which route wins a request and why, and what the gateway does with it."""
    from svcgen.gateway.routes import explain

    return explain(list_routes(start), path, method.upper())
