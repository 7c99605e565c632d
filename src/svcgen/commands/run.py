"""`svcgen run NAME`: a command of the terminal serves one service of a running fleet."""

from __future__ import annotations

from collections.abc import Sequence

from svcgen.commands.up import running_fleet
from svcgen.run.choose import choose_engine
from svcgen.run.engine import GATEWAY_PORT, FleetRequest, Report, silent
from svcgen.workspace import Workspace

COMMAND = ("make", "dev")


def run(
    workspace: Workspace, name: str, command: Sequence[str] = (), *, report: Report = silent
) -> int:
    """Run a command that serves a service in place of its replicas; return its exit code.

    The replicas return when the command has ended. Raises SvcgenError when the service does not
    exist or does not run, and when the engine cannot send requests to this machine.
    """
    service = workspace.service(name)
    choice = choose_engine(workspace.root)
    choice.state.require_running(service.name)
    fleet = running_fleet(workspace, [service.name], choice.state)
    names = frozenset({service.name})
    request = FleetRequest(
        fleet.fleet,
        choice.state.port or GATEWAY_PORT,
        only=names,
        replaced=names,
        before=choice.state,
    )
    return choice.engine.run(request, command or COMMAND, report)
