"""`svcgen run NAME`: a command of the terminal serves one service of a running fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from svcgen.commands.up import running_fleet
from svcgen.env_file import line
from svcgen.files import write_atomic
from svcgen.ports import LOOPBACK
from svcgen.run.choose import choose_engine
from svcgen.run.engine import GATEWAY_PORT, Command, FleetRequest, Report, silent
from svcgen.workspace import Workspace, state_folder

COMMAND = ("make", "dev")
WAITING = ("tail", "-f", "/dev/null")  # POSIX: it ends by a signal alone


def run(
    workspace: Workspace, name: str, command: Sequence[str] = (), *, report: Report = silent
) -> int:
    """Run a command that serves a service in place of its replicas; return its exit code.

    The replicas return when the command has ended. Raises SvcgenError when the service does not
    exist or does not run, and when the engine cannot send requests to this machine.
    """
    return _serve(workspace, name, lambda _variables: command or COMMAND, report)


def on_host(workspace: Workspace, name: str, *, report: Report = silent) -> None:
    """Report where the user starts the process of a service, which then serves until Ctrl-C.

    `report` says where the process must listen, and which file has its variables. Raises
    SvcgenError as `run` does.
    """
    file = state_folder(workspace.root) / f"{name}.env"

    def wait(variables: Mapping[str, str]) -> Sequence[str]:
        # Without the labels by which the supervisor finds, and ends, its own processes.
        given = sorted(each for each in variables.items() if not each[0].startswith("SVCGEN_"))
        lines = [line(variable, value) for variable, value in given]
        write_atomic(file, "".join(f"{each}\n" for each in lines), mode=0o600)
        address = f"{LOOPBACK}:{variables['PORT']}"
        report(name, f"start it on {address} with the variables of {file}; Ctrl-C ends this")
        return WAITING

    try:
        _serve(workspace, name, wait, report)
    finally:
        file.unlink(missing_ok=True)


def _serve(workspace: Workspace, name: str, command: Command, report: Report) -> int:
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
    return choice.engine.run(request, command, report)
