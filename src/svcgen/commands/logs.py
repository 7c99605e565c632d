"""`svcgen logs`: what the replicas write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from svcgen.run.choose import choose_engine
from svcgen.run.engine import LogLine, require_running
from svcgen.workspace import Workspace


def logs(
    workspace: Workspace, names: Sequence[str] = (), *, follow: bool = False, tail: int = 100
) -> Iterator[LogLine]:
    """Yield the last `tail` lines of each replica of the named services, or of all.

    With `follow` it goes on until it is closed or the fleet ends. Raises SvcgenError when nothing
    runs, or nothing of a name.
    """
    runner, _why = choose_engine(workspace.root)
    for name in names:
        require_running(runner, name)
    return runner.logs(names, follow, tail)
