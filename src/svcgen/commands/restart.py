"""`svcgen restart NAME`: fresh replicas of one service, without a lost request."""

from __future__ import annotations

from svcgen.run.choose import choose_engine
from svcgen.run.engine import Replica, Report, require_running, silent
from svcgen.workspace import Workspace


def restart(workspace: Workspace, name: str, *, report: Report = silent) -> tuple[Replica, ...]:
    """Put fresh replicas in the place of those of one service; return the new ones.

    Raises SvcgenError when there is no such service, when it does not run, and when the fresh
    ones do not become ready: the old ones stay then.
    """
    runner, _why = choose_engine(workspace.root)
    require_running(runner, workspace.service(name).name)
    runner.restart(name, report)
    return tuple(replica for replica in runner.ps() if replica.service == name)
