"""Which services a command is about: the named ones, the one around here, or all that are found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from svcgen.errors import BusyError, SvcgenError
from svcgen.service import Service, is_service, read_service
from svcgen.settings import read_settings
from svcgen.update.journal import STATE, opened_update
from svcgen.update.repository import is_clean, is_committing, repository_of, unstage
from svcgen.update.transaction import locked, recover
from svcgen.workspace import Unreadable, Workspace, find_root, survey


@dataclass(frozen=True)
class Selection:
    """The services that an update is about, and those whose answers cannot be read."""

    workspace: Workspace
    services: tuple[Service, ...]
    unreadable: tuple[Unreadable, ...]
    start: Path
    everything: bool  # nobody named them: they are all that were found

    def place(self, service: Service) -> str:
        """Return where a service lies below the folder that the command was typed in."""
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
    """Find the named services, all of them, or the one that `start` lies in.

    What a killed update left half-done is put back first, unless it is not `recovering`. What only
    is `reading` takes a service as it is while another svcgen is at work on it, as in a hook of its
    commit or in its tests. Raises SvcgenError when a name is not there, or nothing is.
    """
    start = start.resolve()
    around = _service_around(start)
    if around and not names and not everything:
        return _only(start, around, recovering=recovering, reading=reading)
    below = around.parent if around else start
    workspace, unreadable = survey(below)
    killed = _killed(workspace.services) if recovering else []
    broken = _recover(killed, reading=reading)
    if killed:  # what their answers files say may be another thing now
        workspace, unreadable = survey(below)
    faults = dict([*unreadable, *broken])
    if names:
        named = tuple(_named(name, workspace, faults) for name in dict.fromkeys(names))
        return Selection(workspace, named, (), start, everything=False)
    if not workspace.services and not faults:
        raise SvcgenError("No services here.", "Make one: svcgen new orders")
    services = tuple(one for one in workspace.services if one.folder not in faults)
    return Selection(workspace, services, tuple(faults.items()), start, everything=True)


def _only(start: Path, folder: Path, *, recovering: bool, reading: bool) -> Selection:
    root = find_root(folder)
    settings = read_settings(root)
    service = read_service(folder)
    killed = _killed([service]) if recovering else []
    for _folder, error in _recover(killed, reading=reading):
        raise error
    service = read_service(folder) if killed else service
    workspace = Workspace(root, (service,), settings)
    return Selection(workspace, (service,), (), start, everything=False)


def _named(name: str, workspace: Workspace, faults: Mapping[Path, SvcgenError]) -> Service:
    for folder, error in faults.items():
        if folder.name == name:
            raise error
    return workspace.service(name)


def _service_around(start: Path) -> Path | None:
    return next((folder for folder in (start, *start.parents) if is_service(folder)), None)


def _killed(services: Iterable[Service]) -> list[Path]:
    """Return the folders in which a run has left something, or waits for its user."""
    return [one.folder for one in services if any(one.folder.glob(f"{STATE}*"))]


def _recover(folders: Iterable[Path], *, reading: bool) -> list[Unreadable]:
    broken: list[Unreadable] = []
    for folder in folders:
        try:
            with locked(folder):
                refuse_committing(folder)
                put_right(folder)
        except BusyError as error:
            if not reading:
                broken.append((folder, error))
        except SvcgenError as error:
            broken.append((folder, error))
    return broken


def refuse_committing(folder: Path) -> None:
    """Refuse to put back what waits for its commit: a hook, or the rest of a fleet, takes long.

    Raises BusyError.
    """
    opened = opened_update(folder)
    repository = repository_of(folder) if opened and opened.message and not opened.waits else None
    if repository and is_committing(repository):
        raise BusyError(
            f"An update of {folder.name} is about to be committed.", "Wait until it has ended."
        )


def put_right(folder: Path) -> None:
    """Undo what a killed update left half-done in a service, in its files and in git's index.

    Raises SvcgenError when a file was edited since.
    """
    opened = opened_update(folder)
    if recover(folder, clean=is_clean(folder)) and opened and opened.message:
        unstage(folder)  # it may have been killed between `git add` and `git commit`
