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
    """List all replicas of the running fleet; none is no error."""
    runner, _why = choose_engine(workspace.root)
    port = runner.port()
    url = f"http://127.0.0.1:{port}" if port else ""
    return PsResult(runner.name, url, tuple(runner.ps()))
