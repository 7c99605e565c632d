"""`svcgen restart NAME`: replace the replicas of one service, without a lost request."""

from __future__ import annotations

from dataclasses import dataclass

from svcgen.run.choose import choose_engine
from svcgen.run.engine import Replica, Report, silent
from svcgen.workspace import Workspace


@dataclass(frozen=True)
class RestartResult:
    """The new replicas of one service."""

    engine: str
    replicas: tuple[Replica, ...]


def restart(workspace: Workspace, name: str, *, report: Report = silent) -> RestartResult:
    """Replace the replicas of one service by new ones of the same build; return the new ones.

    Raises SvcgenError when the service does not exist or does not run. When the new replicas do
    not become ready, it raises SvcgenError, and the old ones stay.
    """
    service = workspace.service(name)
    choice = choose_engine(workspace.root)
    choice.state.require_running(service.name)
    state = choice.engine.restart(workspace, service.name, report)
    replicas = tuple(replica for replica in state.replicas if replica.service == service.name)
    return RestartResult(choice.engine.name, replicas)
