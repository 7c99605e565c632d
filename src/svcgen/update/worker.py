"""The update of one service from plan to result, as a worker process runs it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.merge.files import read_tree
from svcgen.service import read_service
from svcgen.toolchains import surroundings
from svcgen.update.journal import read_journal
from svcgen.update.model import UpdateJob, UpdateResult
from svcgen.update.plan import UpdatePlan, plan_update, unified_diff
from svcgen.update.repository import unmerged_entries
from svcgen.update.transaction import (
    apply,
    finish,
    recover,
    require_no_update_in_progress,
    service_lock,
    undo,
)

_SHOWN = 12  # last lines of a failed target's output


def update_service(job: UpdateJob) -> UpdateResult:
    """Update one service; an error becomes its result, and leaves the service unchanged."""
    folder = job.service.folder
    try:
        with service_lock(folder):
            if read_journal(folder):  # of a process that was killed just now
                recover(folder)
            _require_not_overtaken(job)
            return _update(job)
    except SvcgenError as error:
        return job.result("failed", problem=error.problem, advice=error.advice)
    except OSError as error:  # a full disk, a folder without permission: other services go on
        return job.result("failed", problem=f"The update failed: {error}.")


def _require_not_overtaken(job: UpdateJob) -> None:
    """Raise SvcgenError when another run has started or finished an update of this service."""
    folder = job.service.folder
    require_no_update_in_progress(folder)
    version = read_service(folder).version
    if version != job.service.version:
        raise SvcgenError(
            f"{job.service.name} is now at {version}: another update has finished.",
            f"Check what it changed: git -C {folder} diff",
        )


def _update(job: UpdateJob) -> UpdateResult:
    options, folder = job.options, job.service.folder
    plan = plan_update(
        folder,
        job.old,
        job.new,
        options.data.values,
        trusted=options.trusted,
        name=job.service.name,
        rename=options.rename,
    )
    if options.dry_run:
        return _result(job, plan, unified_diff(plan, job.prefix))
    touched: tuple[str, ...] = ()
    if options.lock:  # `make lock generate` may write every file that the template renders
        managed = read_tree(folder, plan.rendered)
        touched = tuple(managed)
        plan = replace(plan, user_tree={**managed, **plan.user_tree})
    journal = apply(plan, message=job.message, touched=touched, branch=options.branch)
    if journal.awaiting_user:
        sides = {
            path: (old, plan.user_tree.get(path), new) for path, (old, new) in plan.sides.items()
        }
        return replace(_result(job, plan), unmerged=unmerged_entries(folder, sides))
    targets = (*(("lock", "generate") if options.lock else ()),)
    targets += ("lint", "test") if options.test else ()
    problem = _make(job, *targets) if targets else ""
    if problem:
        undo(folder)
        return job.result("reverted", problem=problem, advice=f"The whole output: {job.log}")
    if not options.commits:
        finish(folder)
    return _result(job, plan)


def _result(job: UpdateJob, plan: UpdatePlan, diff: str = "") -> UpdateResult:
    return job.result(
        "conflicts" if plan.conflicts else "updated",
        files=tuple(change.path for change in plan.changes),
        conflicts=plan.conflicts,
        kept_deleted=plan.merged.kept_deleted,
        lock_needed=plan.merged.lock_needed and not job.options.lock,
        ignored=plan.ignored,
        diff=diff,
    )


def _make(job: UpdateJob, *targets: str) -> str:
    """Run targets of the service's Makefile; return the end of their output when they fail."""
    service = job.service
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    log = job.log or Path(os.devnull)
    with log.open("wb") as file:
        done = subprocess.run(
            ["make", "--silent", *targets],
            cwd=service.folder,
            env=surroundings(service.stack, inherited),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if not done.returncode:
        return ""
    output = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN:]
    return "\n".join([f"`make {' '.join(targets)}` failed in {service.name}:", *output])
