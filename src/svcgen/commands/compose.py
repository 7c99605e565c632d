"""`svcgen compose`: stitch the services found into compose.yaml and gateway/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from svcgen.workspace import Workspace, require_services

if TYPE_CHECKING:
    from svcgen.compose.fleet import Fault
    from svcgen.compose.write import Inspected
    from svcgen.gateway.apply import Settle

# A running gateway takes a file in within 20 ms; files follow one another more slowly than that.
PAUSE_S = 0.2


@dataclass(frozen=True)
class Composed:
    """What was written, or by `check` would be; `differences` has a unified diff of each then.

    `broken` is what callers rely on and their callees do not keep; `faults`, only of `check`, is
    all that else does not fit together. `refreshed` are the services with newer copies of their
    callees' documents.
    """

    root: Path
    services: tuple[str, ...]
    routes: int
    written: tuple[str, ...]
    differences: Mapping[str, str]
    faults: tuple[Fault, ...] = ()
    broken: tuple[Fault, ...] = ()
    refreshed: tuple[str, ...] = ()


def check(workspace: Workspace, only: Sequence[str] = (), *, deps: bool = True) -> Composed:
    """Find all that does not fit together, and what `compose` would write; nothing is written.

    Raises SvcgenError without services, and for an unknown name in `only`.
    """
    from svcgen.compose.manifest import differences
    from svcgen.compose.stitch import stitched_files
    from svcgen.compose.write import inspect_fleet

    require_services(workspace)
    found = inspect_fleet(workspace, only, deps=deps)
    fleet = found.fleet
    diffs = {} if found.faults else differences(fleet.root, stitched_files(fleet))
    return _composed(found, written=tuple(diffs), differences=diffs)


def compose(
    workspace: Workspace,
    only: Sequence[str] = (),
    *,
    deps: bool = True,
    refresh: bool = False,
    settle: Settle | None = None,
) -> Composed:
    """Write compose.yaml and gateway/ for a workspace.

    `only` names services, which pull in what they call unless `deps` is false. With `refresh` the
    callers' copies of OpenAPI documents become those of the callees. `settle` waits for a running
    gateway between two files. Raises FaultsError with all faults of services that do not fit
    together, SvcgenError without services and for a file edited by hand; nothing is written then.
    """
    from svcgen.compose.fleet import FaultsError
    from svcgen.compose.write import inspect_fleet

    require_services(workspace)
    found = inspect_fleet(workspace, only, deps=deps)
    if found.faults:
        raise FaultsError(found.faults)
    return _written(found, settle, refresh=refresh)


def _written(found: Inspected, settle: Settle | None, *, refresh: bool) -> Composed:
    from svcgen.compose.client_copies import newer_documents
    from svcgen.compose.stitch import stitched_files
    from svcgen.compose.write import write_copies, write_stitched
    from svcgen.gateway.admin import waiting

    fleet = found.fleet
    newer = newer_documents(fleet, found.everyone) if refresh else []
    written = write_stitched(fleet.root, stitched_files(fleet), settle or waiting(PAUSE_S))
    write_copies(newer)
    callers = dict.fromkeys(copy.caller.name for copy, _text in newer)
    files = (*written, *(copy.file for copy, _text in newer))
    return _composed(found, written=files, refreshed=tuple(callers))


def _composed(
    found: Inspected,
    *,
    written: tuple[str, ...],
    differences: Mapping[str, str] | None = None,
    refreshed: tuple[str, ...] = (),
) -> Composed:
    from svcgen.compose.client_copies import broken_contracts

    return Composed(
        root=found.fleet.root,
        services=tuple(service.name for service in found.fleet.services),
        routes=0 if found.faults else len(found.fleet.table),
        written=written,
        differences=differences or {},
        faults=found.faults,
        broken=tuple(broken_contracts(found.fleet, found.everyone)),
        refreshed=refreshed,
    )
