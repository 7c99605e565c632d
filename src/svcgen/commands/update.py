"""`svcgen update`: services to a newer template, by a merge that loses no edit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from svcgen.commands.repository import (
    refuse_branch,
    refuse_detached,
    refuse_nobody,
    refuse_sparse,
    repository_of,
    uncommitted,
)
from svcgen.commands.selection import Selection
from svcgen.errors import SvcgenError
from svcgen.render.apply import refuse_open
from svcgen.render.opened import Conflict
from svcgen.render.source.changelog import entries
from svcgen.render.source.sources import Version, open_source
from svcgen.render.source.versions import compare
from svcgen.render.trust import Allows, may_merge, never
from svcgen.service import Service

Finished = Callable[["Outcome"], None]


@dataclass(frozen=True)
class Options:
    """How an update goes: to which version, with which checks, and where its result is kept."""

    ref: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    force: bool = False
    lock: bool = False
    test: bool = False
    branch: str = ""
    commit: bool = False
    trusted: bool = False  # the template's own programs may run; `jobs` finds out

    @property
    def commits(self) -> bool:
        """Whether the result ends in a commit."""
        return bool(self.branch or self.commit) and not self.dry_run


@dataclass(frozen=True)
class Outcome:
    """What became of one service.

    `state` is one of: updated, current, conflicts (markers are in its files), put-back (its tests
    failed, all is as it was), failed (refused or broken off, all is as it was), not-begun, aborted.
    """

    service: str
    folder: Path
    old: str
    new: str
    state: str
    files: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    kept_deleted: tuple[str, ...] = ()
    lock_needed: bool = False
    problem: str = ""
    advice: str = ""
    diff: str = ""


@dataclass(frozen=True)
class Job:
    """One service that is to be updated; a worker process is given it."""

    service: Service
    old: Version
    new: Version
    options: Options
    message: str = ""  # of the commit; empty when nothing is to be committed
    place: str = ""  # of the service below where the command was typed, as paths of a patch begin
    log: Path | None = None  # where `make` writes what it says

    def outcome(self, state: str, **facts: Any) -> Outcome:
        """Say what became of this service."""
        service = self.service
        return Outcome(service.name, service.folder, self.old.name, self.new.name, state, **facts)


def jobs(
    selection: Selection, options: Options, allows: Allows = never
) -> tuple[list[Job], list[Outcome]]:
    """Find for each service the way it has to go; what has none is an outcome already.

    `allows` says whether a template's own programs may run; it is asked once for each wish.
    """
    allows = cache(allows)
    begun: list[Job] = []
    ended = [failed(folder.name, folder, error) for folder, error in selection.unreadable]
    for service in selection.services:
        try:
            job = _job(service, options, selection, allows)
        except SvcgenError as error:
            ended.append(failed(service.name, service.folder, error, service.version))
            continue
        if job.old.name == job.new.name and not options.data:
            ended.append(job.outcome("current"))
        else:
            begun.append(job)
    return begun, ended


def _job(service: Service, options: Options, selection: Selection, allows: Allows) -> Job:
    if not service.version:
        raise SvcgenError(
            f"{service.folder} remembers no template version, so nothing can be merged.",
            "A template in a folder without git has none: keep it in git.",
        )
    refuse_open(service.folder)
    source = open_source(service.template)
    new = source.obtain(options.ref)
    old = new if new.name == service.version else source.obtain(service.version)
    if compare(new.name, old.name) < 0:
        raise SvcgenError(
            f"{service.name} is at {old.name}, which is newer than {new.name}.",
            "An update only goes forward; `git revert` brings an older state back.",
        )
    if old.name != new.name or options.data:
        _refuse_unprotected(service, options)
        options = replace(options, trusted=may_merge(old, new, allows))
    message = _message(service.name, old, new) if options.commits else ""
    return Job(service, old, new, options, message, selection.place(service))


def _refuse_unprotected(service: Service, options: Options) -> None:
    """Refuse what could not be brought back: edits that version control does not have."""
    if options.dry_run:
        return
    repository = repository_of(service.folder)
    if repository is None:
        if options.commits:
            raise SvcgenError(f"{service.folder} is in no git repository to commit to.", "git init")
        if not options.force:
            raise SvcgenError(
                f"{service.folder} is in no git repository: what a merge makes of your edits could "
                "not be compared with what they were.",
                "Commit it to git first; or go on without that: svcgen update --force",
            )
        return
    changed = uncommitted(service.folder)
    if changed and not (options.force and not options.commits):
        raise SvcgenError(
            f"{service.name} has changes that are not committed: {_some(changed)}.",
            f"Commit or stash them first: git -C {service.folder} status",
        )
    refuse_sparse(repository, service.folder)
    if options.commits:
        refuse_nobody(repository)
    if options.branch:
        refuse_branch(repository, options.branch)
    elif options.commits:
        refuse_detached(repository)


def _message(name: str, old: Version, new: Version) -> str:
    """Write the message of the commit: what changes, by the template's own changelog."""
    lines = [f"Update {name} from template {old.name} to {new.name}"]
    for entry in entries(new, old.name):
        lines += ["", entry.version, "", entry.text.strip()]
    return "\n".join(lines)


def _some(paths: Sequence[str], most: int = 3) -> str:
    rest = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + rest


def failed(name: str, folder: Path, error: SvcgenError, old: str = "") -> Outcome:
    """Say why one service was left as it was."""
    return Outcome(name, folder, old, "", "failed", problem=error.problem, advice=error.advice)
