"""`svcgen up`: the fleet behind its gateway, started, scaled, or with one service replaced."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from svcgen.errors import SvcgenError, UnsupportedError
from svcgen.run.choose import choose_engine
from svcgen.run.engine import Engine, FleetRequest, LogLine, Replica, Report, silent
from svcgen.workspace import Workspace

if TYPE_CHECKING:
    from svcgen.compose.fleet import Fleet as Stitched
    from svcgen.gateway.routes import Route

SHOWN_BEFORE = 10  # log lines of each replica that `--attach` begins with


@dataclass(frozen=True)
class UpResult:
    """A fleet that is ready: where, in which engine and why there, and what runs."""

    engine: str
    why: str
    url: str
    routes: tuple[Route, ...]
    replicas: tuple[Replica, ...]


def up(  # noqa: PLR0913 (one for each option of the command)
    workspace: Workspace,
    names: Sequence[str] = (),
    *,
    engine: str | None = None,
    scale: Mapping[str, int] | None = None,
    port: int | None = None,
    report: Report = silent,
) -> UpResult:
    """Bring up all services, or the named ones and what they call; return when all is ready.

    On a running fleet, named services that run are replaced and others are added; nothing else is
    touched. `scale` is replicas by service; `port` is the gateway's (default: the running one's,
    else that of svcgen.yaml, else 8000). Raises SvcgenError that names the service that fails.
    """
    runner, why = choose_engine(workspace.root, engine)
    running = _services(runner) if runner.running() else frozenset[str]()
    stitched = _chosen(workspace, names, running)
    _refuse_wrong_scale(scale or {}, stitched)
    _write(runner, workspace, stitched)
    fleet = FleetRequest(
        replace(workspace, services=stitched.services),
        port or runner.port() or stitched.settings.gateway.port,
        dict(scale or {}),
    )
    _bring_up(runner, fleet, names, running, report)
    replicas = tuple(runner.ps())
    return UpResult(runner.name, why, f"http://127.0.0.1:{fleet.port}", stitched.table, replicas)


def read_scale(pairs: Sequence[str]) -> dict[str, int]:
    """Read `NAME=N` pairs; SvcgenError when one is none."""
    scale = {}
    for pair in pairs:
        name, _, count = pair.partition("=")
        if not (name and count.isdecimal()):
            raise SvcgenError(f'"{pair}" is no scale.', "Write NAME=N, as in --scale orders=2.")
        scale[name] = int(count)
    return scale


def attach(workspace: Workspace, show: Callable[[LogLine], None], report: Report = silent) -> None:
    """Follow the logs of a running fleet until Ctrl-C or SIGTERM, then end the fleet."""
    runner, _why = choose_engine(workspace.root)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        for line in runner.logs((), follow=True, tail=SHOWN_BEFORE):
            show(line)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
        runner.down(report)


def watch(workspace: Workspace, report: Report = silent) -> None:
    """Sync or rebuild services on every save, until Ctrl-C; the fleet runs on.

    Raises UnsupportedError for the local engine.
    """
    from svcgen.run.docker.engine import DockerEngine

    runner, _why = choose_engine(workspace.root)
    if not isinstance(runner, DockerEngine):
        raise UnsupportedError(
            "The local engine does not watch files.",
            "`make dev` in a service's folder reloads it on save.",
        )
    try:
        runner.watch(report)
    except KeyboardInterrupt:
        return


def _bring_up(
    runner: Engine,
    fleet: FleetRequest,
    names: Sequence[str],
    running: frozenset[str],
    report: Report,
) -> None:
    if not (names and running):
        return runner.up(fleet, report)
    missing = {service.name for service in fleet.workspace.services} - running
    if missing or fleet.scale:
        runner.up(replace(fleet, only=frozenset(missing | set(fleet.scale))), report)
    for name in dict.fromkeys(names):
        if name in running:
            runner.replace(fleet, name, report)
    return None


def _chosen(workspace: Workspace, names: Sequence[str], running: frozenset[str]) -> Stitched:
    """Return the services that are to run, checked; named ones join those that run already."""
    from svcgen.compose.write import checked_fleet

    if not workspace.services:
        raise SvcgenError(
            f"There is no service below {workspace.root}.", "`svcgen new orders` makes one."
        )
    known = {service.name for service in workspace.services}
    stay = sorted(running & known) if names else []
    return checked_fleet(workspace, [*names, *stay])


def _write(runner: Engine, workspace: Workspace, stitched: Stitched) -> None:
    """Write compose.yaml and gateway/ for Docker; the local engine keeps files of its own."""
    if runner.name != "docker":
        return
    from svcgen.commands.compose import compose
    from svcgen.run.docker.gateway import wait_applied

    names = [service.name for service in stitched.services]
    compose(workspace, names, deps=False, wait_applied=wait_applied(workspace.root))


def _services(runner: Engine) -> frozenset[str]:
    return frozenset(replica.service for replica in runner.ps())


def _refuse_wrong_scale(scale: Mapping[str, int], stitched: Stitched) -> None:
    known = [service.name for service in stitched.services]
    for name, count in scale.items():
        if name not in known:
            raise SvcgenError(
                f'"{name}" cannot be scaled: it is not among the services that run.',
                f"These are: {', '.join(known)}.",
            )
        if count < 1:
            raise SvcgenError(
                f"{name} cannot have {count} replicas.", f"At least one: `--scale {name}=1`."
            )


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt
