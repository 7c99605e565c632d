"""Choosing services, and writing the stitched files so that a running gateway follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from svcgen.compose.callees import absent_callees, absent_notes
from svcgen.compose.checks import GATEWAY, find_faults
from svcgen.compose.fleet import Fault, FaultsError, Fleet, Member, read_fleet
from svcgen.compose.manifest import begin_writing, end_writing, refuse_edited
from svcgen.compose.validate import Validate, refuse_invalid
from svcgen.files import read_text
from svcgen.gateway.apply import WaitApplied, replace_text, steps_to, write_in_order
from svcgen.workspace import Workspace


@dataclass(frozen=True)
class InspectedFleet:
    """The chosen fleet with what does not fit together, and all services of the workspace.

    `absent` has what to do about called services that are not checked out; the fleet runs anyway.
    """

    fleet: Fleet
    everyone: tuple[Member, ...]
    faults: tuple[Fault, ...]
    absent: tuple[Fault, ...] = ()

    def require_sound(self) -> InspectedFleet:
        """Return it; raise FaultsError with every fault when the services do not fit together."""
        if self.faults:
            raise FaultsError(self.faults)
        return self


def inspect_fleet(
    workspace: Workspace, only: Sequence[str] = (), *, deps: bool = True
) -> InspectedFleet:
    """Read and check all services, or `only` and (with `deps`) what they call.

    Raises SvcgenError for an unknown name.
    """
    fleet, faults = read_fleet(workspace)
    names = chosen_names(fleet, [workspace.service(name).name for name in only], deps=deps)
    known = [each.name for each in fleet.members]
    chosen = replace(fleet, members=tuple(each for each in fleet.members if each.name in names))
    chosen = replace(chosen, absent=absent_callees(chosen, known))
    found = find_faults(chosen, known)
    notes = absent_notes(chosen, known)
    return InspectedFleet(chosen, fleet.members, (*faults, *found), notes)


def checked_fleet(workspace: Workspace, only: Sequence[str] = (), *, deps: bool = True) -> Fleet:
    """Return the fleet of all services, or of `only` and (with `deps`) what they call.

    Raises SvcgenError for an unknown name, and FaultsError with every fault when they do not fit.
    """
    return inspect_fleet(workspace, only, deps=deps).require_sound().fleet


def chosen_names(fleet: Fleet, only: Sequence[str], *, deps: bool) -> frozenset[str]:
    """Return the names chosen: all without `only`, else those and (with `deps`) all they call."""
    calls = {member.name: member.calls for member in fleet.members}
    if not only or not deps:
        return frozenset(only or calls)
    names, new = set(only), set(only)
    while new:
        new = {callee for name in new for callee in calls.get(name, ())} - names
        names |= new
    return frozenset(names)


def write_stitched(
    fleet: Fleet,
    files: Mapping[str, str],
    wait_applied: WaitApplied,
    find_validator: Callable[[], Validate | None],
    prepare: Callable[[], None] | None = None,
) -> tuple[str, ...]:
    """Write the files that differ, gateway/ before those at the root; return their paths.

    `wait_applied` is that of write_in_order. An Envoy checks what changes before it is written.
    `prepare` is called after that, before the first file is written.

    Raises SvcgenError when a file was edited by hand, and FaultsError when Envoy refuses one.
    """
    root = fleet.root
    refuse_edited(root, files)
    prefix = f"{GATEWAY}/"
    inside = {
        path.removeprefix(prefix): text for path, text in files.items() if path.startswith(prefix)
    }
    steps = [(f"{prefix}{name}", text) for name, text in steps_to(root / GATEWAY, inside)]
    if steps:
        refuse_invalid(inside, fleet, find_validator())
    if prepare:
        prepare()
    at_root = {path: text for path, text in files.items() if not path.startswith(prefix)}
    after = [step for step in at_root.items() if read_text(root / step[0]) != step[1]]
    if steps or after:
        begin_writing(root, [*steps, *after])
        write_in_order(root / GATEWAY, inside, wait_applied)
        for path, text in after:
            replace_text(root / path, text)
    steps += after
    end_writing(root, files)
    return tuple(sorted({path for path, _text in steps}))
