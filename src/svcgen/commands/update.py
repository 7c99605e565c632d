"""`svcgen update`: bring services to another template version, and keep the user's edits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from svcgen.render.trust import Allows, never
from svcgen.update.finish import abort_updates, continue_updates
from svcgen.update.fleet import update_fleet, with_logs
from svcgen.update.jobs import plan_updates
from svcgen.update.model import Finished, UpdateJob, UpdateOptions, UpdateResult
from svcgen.update.narrowed import Choose
from svcgen.update.selection import Selection

__all__ = ["UpdateOptions", "UpdateResult", "abort_updates", "continue_updates", "update"]

Confirm = Callable[[Sequence[UpdateJob], Sequence[UpdateResult]], None]
Progress = Callable[[Sequence[UpdateJob], Sequence[UpdateResult]], AbstractContextManager[Finished]]


def update(  # noqa: PLR0913 (what a command takes)
    selection: Selection,
    options: UpdateOptions,
    allows: Allows = never,
    choose: Choose | None = None,
    *,
    confirm: Confirm,
    progress: Progress,
    workers: int | None = None,
    canary: int = 0,
) -> list[UpdateResult]:
    """Update the selected services; return a result for each.

    `confirm` gets the pending jobs and the results that are done; it raises to stop the update.
    `progress` gets the same, and yields the function to call with each further result.
    """
    pending, done = plan_updates(selection, options, allows, choose)
    confirm(pending, done)
    if options.test or options.lock:
        pending = with_logs(selection, pending)
    with progress(pending, done) as finished:
        return done + update_fleet(pending, workers=workers, canary=canary, finished=finished)
