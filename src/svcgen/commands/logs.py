"""`svcgen logs`: what the replicas write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from svcgen.run.choose import choose_engine
from svcgen.run.engine import LogLine, Replica
from svcgen.workspace import Workspace, require_services


@dataclass(frozen=True)
class LogsResult:
    """Lines of logs, which are read while they are iterated: once; and what runs."""

    lines: Iterator[LogLine]
    running: tuple[Replica, ...] = ()


def logs(
    workspace: Workspace, names: Sequence[str] = (), *, follow: bool = False, tail: int = 100
) -> LogsResult:
    """Return the last `tail` lines of each replica of the named services, or of all.

    With `follow`, new lines follow until the iterator is closed or the fleet ends. Raises
    SvcgenError without services and without a fleet, and when a named service does not run.
    """
    choice = choose_engine(workspace.root)
    if not choice.state.replicas:
        require_services(workspace)
    for name in names:
        choice.state.require_running(name)
    return LogsResult(choice.engine.logs(names, follow, tail), choice.state.replicas)
