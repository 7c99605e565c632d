"""`svcgen remove`: stop one service, and remove it from the workspace.

Each step can be repeated, and the folder goes last: the same command finishes a killed run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from svcgen.commands.membership import (
    callers_of,
    calls_of,
    edited_settings,
    fleet_of,
    replace_caller,
    require_writable,
    restitch,
    with_settings,
)
from svcgen.compose.compose_file import read_compose_file
from svcgen.errors import SvcgenError
from svcgen.files import move_into_place, staged, write_atomic
from svcgen.run.choose import EngineChoice, choose_engine, engine_named
from svcgen.run.engine import ENGINES, FleetRequest, Leaving, Replica, Report, silent
from svcgen.service import COMPOSE_FILE, Service, has_template, is_name, is_service
from svcgen.settings import SETTINGS_FILE
from svcgen.update.repository import repository_of, require_committed
from svcgen.update.transaction import service_lock
from svcgen.workspace import Workspace, is_stitched, open_alone
from svcgen.yaml_edits import remove_entries


@dataclass(frozen=True)
class Caller:
    """A service that calls the removed one, and what to do about it."""

    name: str
    advice: str


@dataclass(frozen=True)
class RemoveResult:
    """What was stopped, deleted and changed.

    `stopped` are replicas that ran, `changed` files of the workspace that no longer name the
    service. `deleted` are databases and volumes, `kept` those that stay. `callers` still call it.
    """

    name: str
    folder: Path
    stopped: tuple[Replica, ...]
    changed: tuple[Path, ...]
    deleted: tuple[str, ...]
    kept: tuple[str, ...]
    callers: tuple[Caller, ...]


def remove(
    workspace: Workspace,
    name: str,
    *,
    force: bool = False,
    volumes: bool = False,
    report: Report = silent,
) -> RemoveResult:
    """Stop a service, delete its folder, and write the workspace's files without it.

    The data of its database stays unless `volumes`. Raises SvcgenError, with nothing changed, when
    others call the service or git could not restore its files, unless `force`. Also when the
    services that stay do not fit together.
    """
    workspace, service = _find(workspace, name)
    with service_lock(service.folder):
        return _remove(workspace, service, force=force, volumes=volumes, report=report)


def _remove(
    workspace: Workspace, service: Service, *, force: bool, volumes: bool, report: Report
) -> RemoveResult:
    root, name = workspace.root, service.name
    callers = _callers(workspace, name)
    if not force:
        _require_uncalled(name, callers)
        _require_restorable(service)
    leaving = _leaving(service)
    settings = edited_settings(workspace, service, remove_entries)
    others = tuple(each for each in workspace.services if each.folder != service.folder)
    rest = with_settings(replace(workspace, services=others), settings)
    choice = choose_engine(root)
    left = sorted({each.name for each in others} & choice.state.services)
    stopped = tuple(
        each for each in choice.state.replicas if each.service in {name, *leaving.containers}
    )
    changed: tuple[Path, ...] = ()
    if is_stitched(root):
        fleet = fleet_of(rest, left if choice.engine.name == "docker" else ())
        require_writable(fleet)
        changed += restitch(fleet)
    if stopped:
        _stop(choice, leaving, rest, left, report)
    deleted, kept = _delete_data(root, leaving, report, volumes=volumes)
    changed += replace_caller(others, name)
    if settings is not None:
        write_atomic(root / SETTINGS_FILE, settings)
        changed += (root / SETTINGS_FILE,)
    _delete(service.folder)
    return RemoveResult(name, service.folder, stopped, changed, deleted, kept, callers)


def _find(workspace: Workspace, name: str) -> tuple[Workspace, Service]:
    """Return the service, also when a killed run has taken it out of `folders` already."""
    known = {service.name for service in workspace.services}
    folder = workspace.root / name
    if name not in known and is_name(name) and is_service(folder):
        alone = open_alone(folder).services[0]
        if alone.name not in known:
            return replace(workspace, services=(*workspace.services, alone)), alone
    return workspace, workspace.service(name)


def _callers(workspace: Workspace, name: str) -> tuple[Caller, ...]:
    return tuple(
        Caller(caller.name, _advice(caller, [*calls_of(caller, workspace)], name))
        for caller in callers_of(name, workspace)
    )


def _advice(caller: Service, calls: Sequence[str], name: str) -> str:
    if not has_template(caller.folder):
        return f"remove {name} from `calls` in {caller.registration}"
    left = [each for each in calls if each != name]
    options = " ".join(f"--calls {each}" for each in left) or f"-d {quote('calls=[]')}"
    return f"svcgen reconfigure {caller.name} {options}"


def _require_uncalled(name: str, callers: Sequence[Caller]) -> None:
    if callers:
        names = ", ".join(caller.name for caller in callers)
        steps = "\n".join(f"  {caller.name}: {caller.advice}" for caller in callers)
        raise SvcgenError(
            f"{name} is called by {names}.",
            f"First change what they call:\n{steps}\n"
            f"Or remove it, and their calls get 503: svcgen remove {name} --force",
        )


def _require_restorable(service: Service) -> None:
    """Raise SvcgenError when git could not restore the folder after its removal."""
    name, folder = service.name, service.folder
    give_up = f"delete it for ever: svcgen remove {name} --force"
    repository = repository_of(folder)
    if repository is None:
        raise SvcgenError(
            f"{folder} is in no git repository, which could restore it.",
            f"Commit it to git first, or {give_up}",
        )
    if repository == folder.resolve():
        raise SvcgenError(
            f"{folder} is a git repository itself: its commits would be deleted with it.",
            f"Push it first, then {give_up}",
        )
    try:
        require_committed(name, folder)
    except SvcgenError as error:
        raise SvcgenError(error.problem, f"{error.advice}\nOr {give_up}") from error


def _leaving(service: Service) -> Leaving:
    """Return what the service's compose.yaml defines; its database alone when it is faulty."""
    name = service.name
    try:
        file = read_compose_file(service.folder / COMPOSE_FILE, name)
    except SvcgenError:
        return Leaving(name, (name, f"{name}-db"), (), (f"{name}-db",))
    networks = tuple(each for each in file.named["networks"] if each != "platform")
    return Leaving(name, file.services, networks, file.named["volumes"])


def _stop(
    choice: EngineChoice, leaving: Leaving, rest: Workspace, left: Sequence[str], report: Report
) -> None:
    """Stop the service in the running fleet; the whole fleet when no other service is in it."""
    if not left:
        choice.engine.down(report)
        return
    port = choice.state.port or rest.settings.gateway.port
    request = FleetRequest(fleet_of(rest, left), port, before=choice.state)
    choice.engine.remove(leaving, request, report)


def _delete_data(
    root: Path, leaving: Leaving, report: Report, *, volumes: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Delete the data in both engines, if it is to be deleted; return what was, and what stays."""
    from svcgen.run.docker.docker import docker_status

    deleted: list[str] = []
    kept: list[str] = []
    for name in ENGINES:
        if name == "docker" and docker_status().problem:
            continue
        engine = engine_named(root, name)
        data = engine.data_of(leaving)
        if volumes:
            engine.delete_data(leaving, report)
        (deleted if volumes else kept).extend(data)
    return tuple(deleted), tuple(kept)


def _delete(folder: Path) -> None:
    """Delete a folder; it leaves its place in one step, so it is never a part of a service."""
    with staged(folder.parent) as staging:
        try:
            move_into_place(folder, staging / folder.name)
        except OSError as error:
            raise SvcgenError(f"{folder} cannot be deleted: {error.strerror}.") from error
