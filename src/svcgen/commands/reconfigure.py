"""`svcgen reconfigure`: change a service's answers, at the template version that it has."""

from __future__ import annotations

from dataclasses import replace

from svcgen.render.trust import Allows, never
from svcgen.update.finish import mark_conflicts
from svcgen.update.jobs import plan_updates
from svcgen.update.model import UpdateOptions, UpdateResult
from svcgen.update.selection import Selection
from svcgen.update.worker import update_service


def reconfigure(
    selection: Selection, options: UpdateOptions, allows: Allows = never
) -> UpdateResult:
    """Merge what the template renders from the answers in `options.data` into one service.

    It is an update to the version that the service has. The state is `current` when no file would
    change.
    """
    (service,) = selection.services
    pending, done = plan_updates(selection, replace(options, ref=service.version), allows)
    if done:
        return done[0]
    result = update_service(pending[0])
    mark_conflicts([result])
    unchanged = result.state == "updated" and not result.files
    return replace(result, state="current") if unchanged else result
