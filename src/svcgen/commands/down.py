"""`svcgen down`: stop a fleet."""

from __future__ import annotations

from dataclasses import dataclass

from svcgen.run.choose import choose_engine
from svcgen.run.engine import Replica, Report, silent
from svcgen.workspace import Workspace, require_services


@dataclass(frozen=True)
class DownResult:
    """What has run and was stopped; empty when nothing ran."""

    engine: str
    ended: tuple[Replica, ...]


def down(workspace: Workspace, *, volumes: bool = False, report: Report = silent) -> DownResult:
    """Stop everything of the fleet; the data of the databases stays unless `volumes` is true.

    Raises SvcgenError in a folder without services, unless it has a fleet or its data.
    """
    choice = choose_engine(workspace.root)
    if not (choice.state.running or choice.state.replicas or workspace.state.is_dir()):
        require_services(workspace)
    choice.engine.down(report, volumes=volumes)
    return DownResult(choice.engine.name, choice.state.replicas)
