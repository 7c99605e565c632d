"""`svcgen compose`: stitch the services found into compose.yaml and gateway/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from svcgen.files import write_atomic
from svcgen.workspace import Workspace, require_services

if TYPE_CHECKING:
    from svcgen.compose.fleet import Fault
    from svcgen.compose.write import InspectedFleet
    from svcgen.gateway.apply import WaitApplied

# A running gateway loads a file within 20 ms; svcgen waits longer than that between two files.
PAUSE_S = 0.2


@dataclass(frozen=True)
class ComposeResult:
    """What was written, or by `check` would be; `differences` then has a unified diff of each.

    `broken` are callees that no longer keep what their callers rely on. `faults`, only of `check`,
    is everything else that does not fit together. `unrouted` are operations that no route leads to,
    `absent` called services that are not checked out.
    `changes`, only of `check`, has in words what differs. `refreshed` are the services with newer
    copies of their callees' documents.
    """

    root: Path
    services: tuple[str, ...]
    routes: int
    written: tuple[str, ...]
    differences: Mapping[str, str]
    faults: tuple[Fault, ...] = ()
    broken: tuple[Fault, ...] = ()
    refreshed: tuple[str, ...] = ()
    unrouted: tuple[Fault, ...] = ()
    changes: tuple[str, ...] = ()
    absent: tuple[Fault, ...] = ()


def check(workspace: Workspace, only: Sequence[str] = (), *, deps: bool = True) -> ComposeResult:
    """Find all that does not fit together, and what `compose` would write; write nothing.

    Raises SvcgenError without services, and for an unknown name in `only`.
    """
    from svcgen.compose.changes import changes
    from svcgen.compose.manifest import differences
    from svcgen.compose.stitch import stitched_files
    from svcgen.compose.write import inspect_fleet

    require_services(workspace)
    found = inspect_fleet(workspace, only, deps=deps)
    fleet = found.fleet
    files = {} if found.faults else stitched_files(fleet) | fleet.callers_files(found.everyone)
    diffs = differences(fleet.root, files)
    result = _result(found, written=tuple(diffs), differences=diffs)
    return replace(result, changes=changes(fleet.root, {path: files[path] for path in diffs}))


def compose(
    workspace: Workspace,
    only: Sequence[str] = (),
    *,
    deps: bool = True,
    refresh: bool = False,
    wait_applied: WaitApplied | None = None,
) -> ComposeResult:
    """Write compose.yaml and gateway/ for a workspace, and who calls each service into its chart.

    `only` names services, with those they call unless `deps` is false. With `refresh` the callers'
    copies of OpenAPI documents become those of the callees. `wait_applied` waits for a running
    gateway between two files.

    Raises FaultsError with all faults of services that do not fit together, SvcgenError without
    services and for a file edited by hand; nothing is written then.
    """
    from svcgen.compose.client_copies import outdated_copies, write_copies
    from svcgen.compose.stitch import stitched_files
    from svcgen.compose.write import inspect_fleet, write_stitched
    from svcgen.gateway.admin import waiting
    from svcgen.run.validation import find_validator

    require_services(workspace)
    found = inspect_fleet(workspace, only, deps=deps).require_sound()
    fleet = found.fleet
    outdated = outdated_copies(fleet, found.everyone) if refresh else []
    wait = wait_applied or waiting(PAUSE_S)
    callers = fleet.callers_files(found.everyone)
    files = write_stitched(fleet, stitched_files(fleet), wait, find_validator)
    for path, text in callers.items():
        write_atomic(fleet.root / path, text)
    write_copies(outdated)
    return _result(
        found,
        written=(*files, *callers, *(copy.file for copy, _text in outdated)),
        refreshed=tuple(dict.fromkeys(copy.caller.name for copy, _text in outdated)),
    )


def _result(
    found: InspectedFleet,
    *,
    written: tuple[str, ...],
    differences: Mapping[str, str] | None = None,
    refreshed: tuple[str, ...] = (),
) -> ComposeResult:
    from svcgen.compose.client_copies import broken_contracts
    from svcgen.compose.operations import unrouted_operations
    from svcgen.gateway.routes import exposed

    return ComposeResult(
        root=found.fleet.root,
        services=tuple(service.name for service in found.fleet.services),
        routes=0 if found.faults else len(exposed(found.fleet.table)),
        written=written,
        differences=differences or {},
        faults=found.faults,
        broken=tuple(broken_contracts(found.fleet, found.everyone)),
        refreshed=refreshed,
        unrouted=tuple(unrouted_operations(found.fleet)),
        absent=found.absent,
    )
