"""What names a service in its workspace: svcgen.yaml, the stitched files, and callers files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from svcgen.commands.compose import PAUSE_S
from svcgen.compose.callers import HEADER, read_callers
from svcgen.errors import SvcgenError
from svcgen.files import read_text, write_atomic
from svcgen.gateway.registration import read_registration
from svcgen.service import CALLERS_FILE, Service
from svcgen.settings import SETTINGS_FILE, places_of, settings_of
from svcgen.workspace import Workspace, is_stitched
from svcgen.yaml_edits import Place, places_in
from svcgen.yaml_files import as_yaml, parse_documents, read_yaml

if TYPE_CHECKING:
    from svcgen.compose.fleet import Fleet


def calls_of(service: Service, workspace: Workspace) -> tuple[str, ...]:
    """Return what a service calls by its registration; by its answers when that is faulty."""
    try:
        overlay = workspace.settings.services.get(service.name)
        return read_registration(service.registration, overlay).calls
    except SvcgenError:
        return service.calls


def callers_of(name: str, workspace: Workspace) -> tuple[Service, ...]:
    """Return the services that call this one."""
    return tuple(
        service
        for service in workspace.services
        if service.name != name and name in calls_of(service, workspace)
    )


def edited_settings(
    workspace: Workspace, service: Service, edit: Callable[[str, Sequence[Place]], str]
) -> str | None:
    """Return svcgen.yaml after an edit of all entries that name a service; None without one.

    Raises SvcgenError, with the entries, when the file has to be edited by hand.
    """
    path = workspace.root / SETTINGS_FILE
    if not path.is_file():
        return None
    places = places_in(read_yaml(path), places_of(service, workspace.root))
    if not places:
        return None
    try:
        return edit(read_text(path) or "", places)
    except SvcgenError as error:
        entries = ", ".join(".".join(place) for place in places)
        raise SvcgenError(f"{path}: {entries}: {error.problem}", error.advice) from error


def with_settings(workspace: Workspace, text: str | None) -> Workspace:
    """Return a workspace as it is with another text of svcgen.yaml; None is the present one."""
    if text is None:
        return workspace
    content = next(iter(parse_documents(text)), None)
    return replace(workspace, settings=settings_of(content, workspace.root / SETTINGS_FILE))


def fleet_of(workspace: Workspace, names: Iterable[str] = ()) -> Fleet:
    """Return the checked fleet of a workspace, or of these names, also without any service.

    Raises FaultsError when the services do not fit together.
    """
    from svcgen.compose.fleet import Fleet
    from svcgen.compose.write import checked_fleet

    if not workspace.services:
        return Fleet(workspace.root, (), workspace.settings)
    return checked_fleet(workspace, sorted(names))


def require_writable(fleet: Fleet) -> None:
    """Raise SvcgenError when the stitched files exist and one was edited by hand."""
    from svcgen.compose.manifest import refuse_edited
    from svcgen.compose.stitch import stitched_files

    if is_stitched(fleet.root):
        refuse_edited(fleet.root, stitched_files(fleet))


def restitch(fleet: Fleet) -> tuple[Path, ...]:
    """Write compose.yaml and gateway/ for a fleet when the workspace has them; return the files."""
    from svcgen.compose.stitch import stitched_files
    from svcgen.compose.write import write_stitched
    from svcgen.gateway.admin import waiting
    from svcgen.run.validation import find_validator

    if not is_stitched(fleet.root):
        return ()
    files = write_stitched(fleet, stitched_files(fleet), waiting(PAUSE_S), find_validator)
    return tuple(fleet.root / file for file in files)


def replace_caller(services: Iterable[Service], old: str, new: str = "") -> tuple[Path, ...]:
    """Rename a caller in the callers files of services, or remove it; return the files."""
    changed = []
    for service in services:
        found = read_callers(service.folder) or ()
        if old in found:
            names = sorted({*found, *([new] if new else [])} - {old})
            path = service.folder / CALLERS_FILE
            write_atomic(path, HEADER + as_yaml({"callers": names}))
            changed.append(path)
    return tuple(changed)
