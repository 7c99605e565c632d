"""Choosing services, and writing the stitched files so that a running gateway follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from svcgen.compose.checks import find_faults
from svcgen.compose.client_copies import Copy
from svcgen.compose.fleet import Fault, FaultsError, Fleet, Member, read_fleet
from svcgen.compose.manifest import begin_writing, end_writing, refuse_edited
from svcgen.gateway.apply import read_text, replace_text, steps_to, write_in_order
from svcgen.workspace import Workspace

GATEWAY_FOLDER = "gateway"
ROOT_FILE = "compose.yaml"


@dataclass(frozen=True)
class Inspected:
    """The chosen fleet with what of it does not fit together, and all services found."""

    fleet: Fleet
    everyone: tuple[Member, ...]
    faults: tuple[Fault, ...]


def inspect_fleet(
    workspace: Workspace, only: Sequence[str] = (), *, deps: bool = True
) -> Inspected:
    """Look at all services, or at `only` and (with `deps`) what they call.

    Raises SvcgenError for an unknown name.
    """
    fleet, faults = read_fleet(workspace)
    names = chosen_names(fleet, [workspace.service(name).name for name in only], deps=deps)
    chosen = replace(fleet, members=tuple(each for each in fleet.members if each.name in names))
    found = find_faults(chosen, known=[each.name for each in fleet.members])
    return Inspected(chosen, fleet.members, (*faults, *found))


def checked_fleet(workspace: Workspace, only: Sequence[str] = (), *, deps: bool = True) -> Fleet:
    """Return the fleet of all services, or of `only` and (with `deps`) what they call.

    Raises SvcgenError for an unknown name, and FaultsError with every fault when they do not fit.
    """
    inspected = inspect_fleet(workspace, only, deps=deps)
    if inspected.faults:
        raise FaultsError(inspected.faults)
    return inspected.fleet


def chosen_names(fleet: Fleet, only: Sequence[str], *, deps: bool) -> frozenset[str]:
    """Return the names chosen: all without `only`, else those and what they call, however far."""
    calls = {
        each.name: each.registration.calls if each.registration else () for each in fleet.members
    }
    if not only or not deps:
        return frozenset(only or calls)
    names, new = set(only), set(only)
    while new:
        new = {callee for name in new for callee in calls.get(name, ())} - names
        names |= new
    return frozenset(names)


def write_stitched(
    root: Path, files: Mapping[str, str], settle: Callable[[str], None]
) -> tuple[str, ...]:
    """Write the files that differ, gateway before compose.yaml; return their paths.

    Raises SvcgenError when one of them was edited by hand. `settle` is that of write_in_order.
    """
    refuse_edited(root, files)
    folder = root / GATEWAY_FOLDER
    inside = {
        path.removeprefix(f"{GATEWAY_FOLDER}/"): text
        for path, text in files.items()
        if path.startswith(f"{GATEWAY_FOLDER}/")
    }
    steps = [(f"{GATEWAY_FOLDER}/{name}", text) for name, text in steps_to(folder, inside)]
    top = [(ROOT_FILE, files[ROOT_FILE])] if read_text(root / ROOT_FILE) != files[ROOT_FILE] else []
    if steps or top:
        begin_writing(root, [*steps, *top])
        write_in_order(folder, inside, settle)
        for path, text in top:
            replace_text(root / path, text)
    end_writing(root, files)
    return tuple(sorted({path for path, _text in [*steps, *top]}))


def write_copies(newer: Iterable[tuple[Copy, str]]) -> None:
    """Put the callees' documents in the place of the callers' copies."""
    for copy, text in newer:
        replace_text(copy.path, text)
