"""`svcgen down`: the end of a fleet."""

from __future__ import annotations

from dataclasses import dataclass

from svcgen.run.choose import choose_engine
from svcgen.run.engine import Replica, Report, silent
from svcgen.workspace import Workspace


@dataclass(frozen=True)
class DownResult:
    """What ran and does no more; none when nothing ran."""

    engine: str
    ended: tuple[Replica, ...]


def down(workspace: Workspace, *, volumes: bool = False, report: Report = silent) -> DownResult:
    """End everything of the running fleet; the databases' data stay unless `volumes` is true."""
    runner, _why = choose_engine(workspace.root)
    ended = tuple(runner.ps())
    runner.down(report, volumes=volumes)
    return DownResult(runner.name, ended)
