"""Which services are to be updated, from which version to which, and what prevents it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.render.answers import require_types
from svcgen.render.trust import Allows, may_merge, never
from svcgen.service import Service, has_template
from svcgen.templates.base import Version
from svcgen.templates.changelog import entries
from svcgen.templates.sources import open_source
from svcgen.templates.versions import compare
from svcgen.update.model import UpdateJob, UpdateOptions, UpdateResult, failed
from svcgen.update.narrowed import Choose, with_choices
from svcgen.update.repository import (
    repository_of,
    require_attached_head,
    require_committed,
    require_full_checkout,
    require_git_identity,
    require_no_markers,
    require_usable_branch,
)
from svcgen.update.selection import Selection, left_out
from svcgen.update.transaction import require_no_update_in_progress


def plan_updates(
    selection: Selection,
    options: UpdateOptions,
    allows: Allows = never,
    choose: Choose | None = None,
) -> tuple[list[UpdateJob], list[UpdateResult]]:
    """Return the jobs that are pending, and the results of services that need none or cannot.

    `allows` decides whether a template's own programs may run; it is asked once for each template.
    `choose` asks for other answers where the newer version no longer offers the stored ones.
    """
    allows = cache(allows)
    pending: list[UpdateJob] = []
    done = [failed(folder.name, folder, error) for folder, error in selection.unreadable]
    done += [_not_found(folder) for folder in left_out(selection)]
    for service in selection.services:
        if selection.everything and not has_template(service.folder):
            done.append(_without_template(service))
            continue
        try:
            job = _plan_job(service, options, selection, allows)
            job = with_choices(job, choose) if choose else job
        except SvcgenError as error:
            done.append(failed(service.name, service.folder, error, service.version))
            continue
        if job.old.name == job.new.name and not options.data.values:
            done.append(job.result("current"))
        else:
            pending.append(job)
    return pending, done


def _without_template(service: Service) -> UpdateResult:
    problem = "It has no .copier-answers.yml, so no template: it gets no updates."
    return UpdateResult(service.name, service.folder, "", "", "left-out", problem=problem)


def _not_found(folder: Path) -> UpdateResult:
    problem = "svcgen does not find it as a service of this workspace."
    advice = f"Update it by its folder: svcgen update {folder}"
    return UpdateResult(folder.name, folder, "", "", "left-out", problem=problem, advice=advice)


def _plan_job(
    service: Service, options: UpdateOptions, selection: Selection, allows: Allows
) -> UpdateJob:
    if not has_template(service.folder):
        raise SvcgenError(f"{service.folder} has no .copier-answers.yml, so it has no template.")
    if not service.version:
        raise SvcgenError(
            f"{service.folder} records no template version, so it cannot be merged.",
            "A template in a folder without git has no versions: keep it in git.",
        )
    require_no_update_in_progress(service.folder)
    require_no_markers(service.folder)
    source = open_source(service.template)
    new = source.obtain(options.ref)
    old = new if new.name == service.version else source.obtain(service.version)
    if compare(new.name, old.name) < 0:
        raise SvcgenError(
            f"{service.name} is at {old.name}, which is newer than {new.name}.",
            "An update only goes forward; `git revert` restores an older state.",
        )
    require_types(options.data, new)
    if old.name != new.name or options.data.values:
        _require_undoable(service, options)
        options = replace(options, trusted=may_merge(old, new, allows))
    message = _commit_message(service.name, old, new) if options.commits else ""
    return UpdateJob(service, old, new, options, message, selection.prefix(service))


def _require_undoable(service: Service, options: UpdateOptions) -> None:
    """Raise SvcgenError when git could not restore the user's edits, or cannot commit."""
    if options.dry_run:
        return
    folder = service.folder
    repository = repository_of(folder)
    if repository is None:
        if options.commits:
            raise SvcgenError(f"{folder} is in no git repository to commit to.", "git init")
        if not options.force:
            raise SvcgenError(
                f"{folder} is in no git repository: the merge could not be compared with your "
                "edits.",
                "Commit it to git first, or add --force to the command.",
            )
        return
    if options.commits or not options.force:
        require_committed(service.name, folder)
    require_full_checkout(repository, folder)
    if options.commits:
        require_git_identity(repository)
    if options.branch:
        require_usable_branch(repository, options.branch)
    elif options.commits:
        require_attached_head(repository)


def _commit_message(name: str, old: Version, new: Version) -> str:
    """Return the message of the commit: what changes, from the template's changelog."""
    lines = [f"Update {name} from template {old.name} to {new.name}"]
    for entry in entries(new, old.name):
        lines += ["", entry.version, "", entry.text.strip()]
    return "\n".join(lines)
