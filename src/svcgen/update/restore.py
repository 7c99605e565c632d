"""`svcgen drift --fix`: managed files put back as their template version rendered them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.git import git
from svcgen.merge.files import Tree
from svcgen.merge.merge import Change, Merged
from svcgen.templates.base import Version
from svcgen.update.drift import BLOCKED, CHANGED, Drifted
from svcgen.update.plan import Plan, unified_diff
from svcgen.update.repository import repository_of
from svcgen.update.transaction import apply, finish, locked, refuse_open


def restore(folder: Path, version: Version, files: Sequence[Drifted], *, force: bool) -> None:
    """Restore files in one step; a killed run is undone by the next command.

    Raises SvcgenError, with nothing changed, when what would be replaced is in no commit (unless
    `force`), when something is in the way, and while an update waits for its user.
    """
    with locked(folder):
        refuse_open(folder)
        _refuse_blocked(files)
        if not force:
            _refuse_unkept(folder, [one.path for one in files if one.state == CHANGED])
        mine = {file.path: file.found for file in files if file.found}
        apply(_plan(folder, version, mine, [Change(one.path, one.restored) for one in files]))
        finish(folder)


def unified(version: Version, file: Drifted, place: str) -> str:
    """Return a unified diff from what was rendered to what is there; paths begin at `place`."""
    found = file.found and replace(file.found, content=_as_rendered(file))
    change = [Change(file.path, found)]
    return unified_diff(_plan(Path(), version, {file.path: file.rendered}, change), place)


def _as_rendered(file: Drifted) -> bytes:
    """Leave out that a checkout made line ends CRLF: every line would differ."""
    found = file.found.content if file.found else b""
    crlf = file.restored != file.rendered
    return found.replace(b"\r\n", b"\n") if crlf else found


def _plan(folder: Path, version: Version, mine: Tree, changes: Sequence[Change]) -> Plan:
    paths = frozenset(change.path for change in changes)
    merged = Merged(tuple(changes), (), lock_needed=False)
    return Plan(folder, version, version, mine, merged, paths)


def _refuse_blocked(files: Sequence[Drifted]) -> None:
    blocked = [file.path for file in files if file.state == BLOCKED]
    if blocked:
        raise SvcgenError(
            f"Something else is in the place of {', '.join(blocked)}: nothing was restored.",
            "Move it away, or allow it in svcgen.yaml: drift.allow",
        )


def _refuse_unkept(folder: Path, paths: Sequence[str]) -> None:
    """Refuse to replace text that version control could not bring back."""
    if not paths:
        return
    if repository_of(folder) is None:
        raise SvcgenError(
            f"{folder} is in no git repository: what is replaced could not be brought back.",
            "Commit it to git first; or go on without that: svcgen drift --fix --force",
        )
    unkept = _unkept(folder, paths)
    if unkept:
        raise SvcgenError(
            f"{', '.join(unkept)} would be replaced, and is in no commit.",
            "Commit or stash it first; or lose it: svcgen drift --fix --force",
        )


def _unkept(folder: Path, paths: Sequence[str]) -> list[str]:
    """Name the files whose text is in no commit: edited, staged, untracked or ignored.

    Of a file that it was told not to look at (assume-unchanged, skip-worktree) git does not know:
    whoever told it so has edits there.
    """
    flags = ("--porcelain", "-z", "--untracked-files=all", "--ignored", "--no-renames")
    literal = [f":(literal){path}" for path in paths]
    listed = git("status", *flags, "--", *literal, within=folder).split("\0")
    changed = [entry[3:] for entry in listed if entry]
    tagged = git("ls-files", "-v", "-z", "--", *literal, within=folder).split("\0")
    changed += [entry[2:] for entry in tagged if entry[:1] == "S" or entry[:1].islower()]
    return [path for path in paths if any(f"/{name}".endswith(f"/{path}") for name in changed)]
