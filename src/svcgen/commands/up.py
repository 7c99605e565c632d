"""`svcgen up`: start a fleet behind its gateway, scale it, or replace single services."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from svcgen.commands.token import token_command
from svcgen.errors import SvcgenError, counted
from svcgen.run.choose import choose_engine, engine_named
from svcgen.run.engine import (
    GATEWAY,
    FleetRequest,
    FleetState,
    LogLine,
    Replica,
    Report,
    silent,
)
from svcgen.run.memory import last_port, remember
from svcgen.workspace import Workspace, open_workspace, require_services, state_folder

if TYPE_CHECKING:
    from svcgen.compose.fleet import Fault, Fleet
    from svcgen.compose.write import InspectedFleet
    from svcgen.gateway.routes import Route

MOST_REPLICAS = 50  # of one service: each needs memory, a port and health checks
SHOWN_BEFORE = 10  # log lines of each replica that `--attach` begins with


@dataclass(frozen=True)
class UpResult:
    """A fleet that is ready: its engine, why it is this engine, its URL, and what runs.

    `broken` has what callers rely on and their callees no longer offer, `absent` what to do about
    called services that are not checked out; the fleet runs anyway. `token` is the command that
    prints a token for the routes of the development issuer.
    """

    engine: str
    why: str
    url: str
    routes: tuple[Route, ...]
    replicas: tuple[Replica, ...]
    broken: tuple[Fault, ...] = ()
    absent: tuple[Fault, ...] = ()
    token: str = ""


def up(  # noqa: PLR0913 (one for each option of the command)
    workspace: Workspace,
    names: Sequence[str] = (),
    *,
    engine: str | None = None,
    scale: Mapping[str, int] | None = None,
    port: int | None = None,
    report: Report = silent,
) -> UpResult:
    """Start all services, or the named ones and what they call; return when all is ready.

    On a running fleet, named services that run are replaced and others are added; nothing else
    changes. `scale` is replicas by service; `port` is the gateway's (default: the running one's,
    else that of the last `svcgen up --port`, else that of svcgen.yaml, else 8000). Raises
    SvcgenError that names the service that fails.
    """
    from svcgen.compose.client_copies import broken_contracts
    from svcgen.gateway.routes import exposed

    require_services(workspace)
    choice = choose_engine(workspace.root, engine)
    inspected = running_fleet(workspace, names, choice.state)
    fleet = inspected.fleet
    _require_scale(scale or {}, fleet)
    port = _port(workspace.root, port, choice.state.port, fleet.settings.gateway.port, report)
    remember(workspace.root, engine=choice.engine.name)
    request = _request(fleet, names, choice.state, scale or {}, port)
    if token := token_command(fleet.table):
        from svcgen.gateway.tokens import ensure_key

        ensure_key(state_folder(workspace.root))  # Envoy accepts no issuer without a key
    state = choice.engine.up(request, report)
    return UpResult(
        engine=choice.engine.name,
        why=choice.reason,
        url=f"http://127.0.0.1:{port}",
        routes=exposed(fleet.table),
        replicas=state.replicas,
        broken=tuple(broken_contracts(fleet, inspected.everyone)),
        absent=inspected.absent,
        token=token,
    )


def running_fleet(workspace: Workspace, names: Sequence[str], state: FleetState) -> InspectedFleet:
    """Return the named services, or all, with what they call and what runs already.

    Raises SvcgenError for an unknown name, and FaultsError when they do not fit together.
    """
    from svcgen.compose.write import inspect_fleet

    running = state.services if state.running else frozenset[str]()
    found = {service.name for service in workspace.services}
    staying = sorted(running & found) if names else []
    return inspect_fleet(workspace, [*names, *staying]).require_sound()


def read_scale(pairs: Sequence[str]) -> dict[str, int]:
    """Read `NAME=N` pairs; SvcgenError for a pair of another form."""
    scale = {}
    for pair in pairs:
        name, _, count = pair.partition("=")
        if not (name and count.isdecimal()):
            raise SvcgenError(f"'{pair}' is not NAME=N.", "For example: --scale orders=2")
        scale[name] = int(count)
    return scale


def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Raise KeyboardInterrupt: as a handler it makes SIGTERM end a command as Ctrl-C does."""
    raise KeyboardInterrupt


def attach(
    workspace: Workspace, fleet: UpResult, show: Callable[[LogLine], None], report: Report = silent
) -> None:
    """Follow the logs of a fleet until Ctrl-C or SIGTERM, then stop the fleet."""
    engine = engine_named(workspace.root, fleet.engine)
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        for line in engine.logs((), follow=True, tail=SHOWN_BEFORE):
            show(line)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
        engine.down(report)


def watch(workspace: Workspace, fleet: UpResult, report: Report = silent) -> None:
    """Update a service on every save in its folder, until Ctrl-C or `svcgen down`.

    Docker syncs or rebuilds, as each compose.yaml defines. The local engine replaces the service,
    as `up NAME` does. Where the new replica does not become ready, the old one stays, and the watch
    continues. After Ctrl-C the fleet keeps running.
    """
    try:
        if fleet.engine == "docker":
            from svcgen.run.docker.engine import DockerEngine

            DockerEngine(workspace.root).watch(workspace, report)
        else:
            _replace_on_save(workspace, fleet, report)
    except KeyboardInterrupt:
        return


def _replace_on_save(workspace: Workspace, fleet: UpResult, report: Report) -> None:
    from svcgen.run.local.saves import restart_on_save, saves
    from svcgen.run.watching import watching

    def replace(name: str) -> None:
        report(name, "saved")
        try:
            up(open_workspace(workspace.root), [name], report=report)
        except SvcgenError as error:
            for line in str(error).splitlines():
                report(name, line)

    running = {replica.service for replica in fleet.replicas}
    folders = {each.name: each.folder for each in workspace.services if each.name in running}
    over = threading.Event()
    # A save after this line is seen: all files were looked at before.
    with watching(workspace.root, over.set), saves(folders) as look:
        report("watch", f"{counted(len(folders), 'service')}; Ctrl-C ends the watch")
        restart_on_save(look, replace, over)


def _port(
    root: Path, wanted: int | None, running: int | None, configured: int, report: Report
) -> int:
    """Return the gateway's port, and remember one that was wanted."""
    last = last_port(root, configured)
    if wanted:
        remember(root, port=wanted, configured=configured)
    elif last and not running:
        report(GATEWAY, f"port {last}, as in the last `svcgen up`; --port changes it")
    return wanted or running or last or configured


def _request(
    fleet: Fleet, names: Sequence[str], before: FleetState, scale: Mapping[str, int], port: int
) -> FleetRequest:
    """Return the request to an engine; named services limit it only on a running fleet."""
    if not (names and before.running):
        return FleetRequest(fleet, port, scale, before=before)
    missing = {service.name for service in fleet.services} - before.services
    only = frozenset({*names, *scale, *missing})
    replaced = before.services & frozenset(names)
    return FleetRequest(fleet, port, scale, only, replaced, before)


def _require_scale(scale: Mapping[str, int], fleet: Fleet) -> None:
    names = [service.name for service in fleet.services]
    for name, count in scale.items():
        if name not in names:
            raise SvcgenError(
                f"'{name}' cannot be scaled: it is not among the services that run.",
                f"These are: {', '.join(names)}.",
            )
        if count > MOST_REPLICAS:
            raise SvcgenError(
                f"{name} cannot have {count} replicas.", f"At most {MOST_REPLICAS} on one machine."
            )
        if count < 1:
            raise SvcgenError(
                f"{name} cannot have {count} replicas.", f"At least one: --scale {name}=1"
            )
