"""One service's update from plan to result, as a worker process does it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.merge.files import read_tree
from svcgen.service import read_service
from svcgen.toolchains import surroundings
from svcgen.update.journal import Conflict, Opened, opened_update
from svcgen.update.model import Job, Outcome
from svcgen.update.plan import Plan, plan_update, unified_diff
from svcgen.update.selection import put_right
from svcgen.update.transaction import abort, apply, finish, locked, refuse_open

_SHOWN = 12  # last lines of what a failed target said


def update_service(job: Job) -> Outcome:
    """Update one service; what goes wrong is an outcome, and leaves the service as it was."""
    try:
        with locked(job.service.folder):
            if opened_update(job.service.folder):  # of a process that was killed just now
                put_right(job.service.folder)
            _refuse_overtaken(job)
            return _update(job)
    except SvcgenError as error:
        return job.outcome("failed", problem=error.problem, advice=error.advice)
    except OSError as error:  # a full disk, a folder that is closed: other services go on
        return job.outcome("failed", problem=f"Its update broke off: {error}.")


def _refuse_overtaken(job: Job) -> None:
    """Refuse what another run has done, or begun, since this job was found."""
    refuse_open(job.service.folder)
    now = read_service(job.service.folder).version
    if now != job.service.version:
        raise SvcgenError(
            f"{job.service.name} is at {now} by now: another update was quicker.",
            f"Look at what it did: git -C {job.service.folder} diff",
        )


def _update(job: Job) -> Outcome:
    options = job.options
    folder = job.service.folder
    planned = plan_update(folder, job.old, job.new, options.data, trusted=options.trusted)
    if options.dry_run:
        return _told(job, planned, unified_diff(planned, job.place))
    opened = _applied(planned, job.message, lock=options.lock)
    if opened.waits:
        return _told(job, planned)
    problem = _checked(job)
    if problem:
        abort(folder)
        return job.outcome("put-back", problem=problem, advice=f"All it said: {job.log}")
    if not options.commits:
        finish(folder)
    return _told(job, planned)


def _told(job: Job, planned: Plan, diff: str = "") -> Outcome:
    changes = planned.changes
    conflicts = tuple(Conflict(one.path, one.conflict) for one in changes if one.conflict)
    return job.outcome(
        "conflicts" if conflicts else "updated",
        files=tuple(change.path for change in changes),
        conflicts=conflicts,
        kept_deleted=planned.merged.kept_deleted,
        lock_needed=planned.merged.lock_needed and not job.options.lock,
        diff=diff,
    )


def _applied(planned: Plan, message: str, *, lock: bool) -> Opened:
    """Write the merge; `make lock generate` may touch all that the template has made."""
    if not lock:
        return apply(planned, message=message)
    mine = read_tree(planned.folder, planned.rendered)
    whole = replace(planned, mine={**mine, **planned.mine})
    return apply(whole, message=message, touched=tuple(mine))


def _checked(job: Job) -> str:
    """Run the service's own targets; return what failed, or nothing."""
    targets = (*(("lock", "generate") if job.options.lock else ()),)
    targets += ("lint", "test") if job.options.test else ()
    return _make(job, *targets) if targets else ""


def _make(job: Job, *targets: str) -> str:
    service = job.service
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    environment = surroundings(service.stack, kept)
    log = job.log or Path(os.devnull)
    with log.open("wb") as file:
        done = subprocess.run(
            ["make", "--silent", *targets],
            cwd=service.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if not done.returncode:
        return ""
    said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN:]
    return "\n".join([f"`make {' '.join(targets)}` failed in {service.name}:", *said])
