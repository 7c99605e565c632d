"""Which services a command works on: the named ones, the one around here, or all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from svcgen.errors import BusyError, SvcgenError
from svcgen.service import Service, has_template, is_service
from svcgen.update.journal import read_journal
from svcgen.update.repository import is_committing, repository_of
from svcgen.update.transaction import recover, service_lock
from svcgen.workspace import Unreadable, Workspace, open_alone, projects_below, survey

_Found = tuple[Workspace, dict[Path, SvcgenError]]
_LEFT_BY_AN_UPDATE = ".svcgen-*"  # the journal, or temporary files of a killed run


@dataclass(frozen=True)
class Selection:
    """The services that a command works on, and those whose answers cannot be read."""

    workspace: Workspace
    services: tuple[Service, ...]
    unreadable: tuple[Unreadable, ...]
    start: Path
    everything: bool  # no service was named: these are all that were found

    def prefix(self, service: Service) -> str:
        """Return the service's folder below the current directory, as a patch's paths begin."""
        if not service.folder.is_relative_to(self.start):
            return ""
        return service.folder.relative_to(self.start).as_posix().removeprefix(".")


def select(
    start: Path,
    names: Sequence[str],
    *,
    everything: bool,
    recovering: bool = True,
    reading: bool = False,
) -> Selection:
    """Find the named services, all services, or the one whose folder contains `start`.

    Undo first what a killed update left half-done, unless `recovering` is false. A command that
    only reads (`reading`) takes a service as it is while another svcgen works on it: in a hook of
    its commit, or in its tests. Raises SvcgenError when a name, or any service, does not exist.
    """
    start = start.resolve()
    around = next((folder for folder in (start, *start.parents) if is_service(folder)), None)
    if around is None and not names and not everything:
        around = _project_around(start)
    alone = around if not names and not everything else None

    def find() -> _Found:
        if alone:
            return open_alone(alone), {}
        workspace, unreadable = survey(around.parent if around else start)
        known = {service.name for service in workspace.services}
        folders = ((start / name).resolve() for name in names if name and name not in known)
        found = {service.folder for service in workspace.services}
        projects = (
            open_alone(folder).services[0]
            for folder in dict.fromkeys(folders)
            if has_template(folder) and folder not in found
        )
        return replace(workspace, services=(*workspace.services, *projects)), dict(unreadable)

    workspace, faults = _find_recovered(find, reading=reading) if recovering else find()
    if alone or names:
        for folder, error in faults.items():
            if alone or folder.name in names:
                raise error
        named = [_named(workspace, start, name) for name in names]
        # A service can be named twice: by its name and by its folder.
        services = workspace.services if alone else tuple(dict.fromkeys(named))
        return Selection(workspace, services, (), start, everything=False)
    if not workspace.services and not faults:
        raise SvcgenError("No services here.", "Create one: svcgen new orders")
    services = tuple(found for found in workspace.services if found.folder not in faults)
    return Selection(workspace, services, tuple(faults.items()), start, everything=True)


def left_out(selection: Selection) -> tuple[Path, ...]:
    """Return the folders with a template that a command for all services does not work on.

    They have no chart, are deeper than a workspace is searched, or are below a tool's folder.
    """
    if not selection.everything:
        return ()
    known = {service.folder for service in selection.services}
    known |= {folder for folder, _error in selection.unreadable}
    return tuple(folder for folder in projects_below(selection.start) if folder not in known)


def _project_around(start: Path) -> Path | None:
    """Return the project that contains a folder; a folder with services below is a workspace."""
    found = next((folder for folder in (start, *start.parents) if has_template(folder)), None)
    return None if found and survey(found)[0].services else found


def _named(workspace: Workspace, start: Path, name: str) -> Service:
    """Return a service by its name, or a service or project by its folder."""
    folder = (start / name).resolve() if name else None
    for service in workspace.services:
        if service.folder == folder and service.name != name:
            return service
    return workspace.service(name)


def require_not_committing(folder: Path) -> None:
    """Raise BusyError while another process commits the update: a hook, or a fleet, takes long."""
    journal = read_journal(folder)
    uncommitted = journal and journal.message and not journal.awaiting_user
    repository = repository_of(folder) if uncommitted else None
    if repository and is_committing(repository):
        raise BusyError(
            f"Another svcgen is committing the update of {folder.name}.",
            "Wait until it has finished.",
        )


def interrupted_services(workspace: Workspace) -> list[Path]:
    """Return the folders of services in which an update, or a killed run, has left files."""
    folders = (service.folder for service in workspace.services)
    return [folder for folder in folders if any(folder.glob(_LEFT_BY_AN_UPDATE))]


def recover_service(folder: Path) -> None:
    """Undo what a killed update left half-done; raise SvcgenError when that cannot be done."""
    with service_lock(folder):
        require_not_committing(folder)
        recover(folder)


def _find_recovered(find: Callable[[], _Found], *, reading: bool) -> _Found:
    """Find services, undo what killed updates left half-done in them, and find them again.

    A service where that failed is among those with an error.
    """
    workspace, faults = find()
    interrupted = interrupted_services(workspace)
    if not interrupted:
        return workspace, faults
    failed: dict[Path, SvcgenError] = {}
    for folder in interrupted:
        try:
            recover_service(folder)
        except SvcgenError as error:
            if not (reading and isinstance(error, BusyError)):
                failed[folder] = error
    workspace, faults = find()  # recovery may have restored other answers
    return workspace, {**faults, **failed}
