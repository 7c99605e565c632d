"""Which services are to be updated, from which version to which, and what forbids it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from svcgen.errors import SvcgenError
from svcgen.render.trust import Allows, may_merge, never
from svcgen.service import Service
from svcgen.templates.base import Version
from svcgen.templates.changelog import entries
from svcgen.templates.sources import open_source
from svcgen.templates.versions import compare
from svcgen.update.model import Job, Options, Outcome, failed
from svcgen.update.repository import (
    refuse_branch,
    refuse_detached,
    refuse_nobody,
    refuse_sparse,
    repository_of,
    uncommitted,
)
from svcgen.update.selection import Selection
from svcgen.update.transaction import refuse_open


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
