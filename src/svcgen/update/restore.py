"""`svcgen drift --fix`: restore managed files as their template version rendered them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.git import git
from svcgen.merge.files import Tree
from svcgen.merge.model import Change, MergeResult
from svcgen.templates.base import Version
from svcgen.update.drift import BLOCKED, CHANGED, DriftedFile
from svcgen.update.plan import UpdatePlan, unified_diff
from svcgen.update.repository import repository_of, require_no_markers
from svcgen.update.transaction import (
    apply,
    finish,
    require_no_update_in_progress,
    service_lock,
)


def restore(folder: Path, version: Version, files: Sequence[DriftedFile], *, force: bool) -> None:
    """Restore files in one step; the next command undoes a killed run.

    Raises SvcgenError, with nothing changed, when an edit would be replaced that is in no commit,
    unless `force`. Also when something is in the way, and while an update is in progress.
    """
    with service_lock(folder):
        require_no_update_in_progress(folder)
        require_no_markers(folder)
        blocked = [file.path for file in files if file.state == BLOCKED]
        if blocked:
            raise SvcgenError(
                f"Something else is in the place of {', '.join(blocked)}: nothing was restored.",
                "Move it, or allow it in svcgen.yaml: drift.allow",
            )
        if not force:
            _require_committed(folder, [file.path for file in files if file.state == CHANGED])
        user_tree = {file.path: file.found for file in files if file.found}
        changes = [Change(file.path, file.restored) for file in files]
        apply(_as_plan(folder, version, user_tree, changes))
        finish(folder)


def drift_diff(version: Version, file: DriftedFile, prefix: str) -> str:
    """Return a unified diff from the rendered to the user's file; its path begins with `prefix`."""
    found = file.found
    if found and file.restored != file.rendered:  # a checkout made CRLF: every line would differ
        found = replace(found, content=found.content.replace(b"\r\n", b"\n"))
    changes = [Change(file.path, found)]
    return unified_diff(_as_plan(Path(), version, {file.path: file.rendered}, changes), prefix)


def _as_plan(
    folder: Path, version: Version, user_tree: Tree, changes: Sequence[Change]
) -> UpdatePlan:
    paths = frozenset(change.path for change in changes)
    merged = MergeResult(tuple(changes), (), lock_needed=False)
    return UpdatePlan(folder, version, version, user_tree, merged, paths)


def _require_committed(folder: Path, paths: Sequence[str]) -> None:
    """Raise SvcgenError for files whose content git could not restore.

    They are edited, staged, untracked or ignored, or git was set to pass them over
    (assume-unchanged, skip-worktree): those have edits that git does not see.
    """
    if not paths:
        return
    if repository_of(folder) is None:
        raise SvcgenError(
            f"{folder} is in no git repository: what is replaced could not be restored.",
            "Commit it to git first, or restore without git: svcgen drift --fix --force",
        )
    options = ("--porcelain", "-z", "--untracked-files=all", "--ignored", "--no-renames")
    literal = [f":(literal){path}" for path in paths]
    listed = git("status", *options, "--", *literal, within=folder).split("\0")
    changed = [entry[3:] for entry in listed if entry]
    tagged = git("ls-files", "-v", "-z", "--", *literal, within=folder).split("\0")
    changed += [entry[2:] for entry in tagged if entry[:1] == "S" or entry[:1].islower()]
    lost = [path for path in paths if any(f"/{name}".endswith(f"/{path}") for name in changed)]
    if lost:
        raise SvcgenError(
            f"{', '.join(lost)} would be replaced, and is in no commit.",
            "Commit or stash it first, or discard it: svcgen drift --fix --force",
        )
