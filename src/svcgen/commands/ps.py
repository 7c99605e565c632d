"""`svcgen ps`: what runs."""

from __future__ import annotations

from dataclasses import dataclass

from svcgen.run.choose import choose_engine
from svcgen.run.engine import Replica
from svcgen.workspace import Workspace


@dataclass(frozen=True)
class PsResult:
    """The replicas of a fleet; `url` is empty when no gateway runs."""

    engine: str
    url: str
    replicas: tuple[Replica, ...]


def ps(workspace: Workspace) -> PsResult:
    """Return all replicas of the fleet; it is not an error when nothing runs."""
    choice = choose_engine(workspace.root)
    port = choice.state.port
    url = f"http://127.0.0.1:{port}" if port else ""
    return PsResult(choice.engine.name, url, choice.state.replicas)
