"""`svcgen compose`: stitch the services found into compose.yaml and gateway/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from svcgen.gateway.apply import Settle
from svcgen.workspace import Workspace

# A running gateway takes a file in within 20 ms; files follow one another more slowly than that.
PAUSE_S = 0.2


@dataclass(frozen=True)
class Composed:
    """What was written, or with `check` would be; `differences` has a unified diff of each then."""

    root: Path
    services: tuple[str, ...]
    routes: int
    written: tuple[str, ...]
    differences: Mapping[str, str]


def compose(
    workspace: Workspace,
    only: Sequence[str] = (),
    *,
    deps: bool = True,
    check: bool = False,
    settle: Settle | None = None,
) -> Composed:
    """Write compose.yaml and gateway/ for a workspace; with `check`, write nothing.

    `only` names services, which pull in what they call unless `deps` is false. `settle` waits for
    a running gateway between two files. Raises FaultsError with all faults of services that do
    not fit together, and SvcgenError for a file edited by hand; nothing is written then.
    """
    from svcgen.compose.manifest import differences
    from svcgen.compose.stitch import stitched_files
    from svcgen.compose.write import checked_fleet, write_stitched
    from svcgen.gateway.admin import waiting

    fleet = checked_fleet(workspace, only, deps=deps)
    files = stitched_files(fleet)
    diffs = differences(workspace.root, files) if check else {}
    written = tuple(diffs)
    if not check:
        written = write_stitched(workspace.root, files, settle or waiting(PAUSE_S))
    names = tuple(service.name for service in fleet.services)
    return Composed(workspace.root, names, len(fleet.table), written, diffs)
