"""`svcgen reconfigure`: change a service's answers, at the template version that it has."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from svcgen.compose.callees import require_known_apis
from svcgen.render.refusals import render_stored
from svcgen.render.trust import Allows, never
from svcgen.service import read_service
from svcgen.update.finish import mark_conflicts
from svcgen.update.jobs import plan_updates
from svcgen.update.model import UpdateJob, UpdateOptions, UpdateResult
from svcgen.update.selection import Selection
from svcgen.update.stored_answers import stored_answers
from svcgen.update.worker import update_service
from svcgen.workspace import Workspace


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
    if selection.workspace.settings.external and "calls" in options.data.values:
        _require_known_apis(pending[0], selection.workspace)
    result = update_service(pending[0])
    mark_conflicts([result])
    unchanged = result.state == "updated" and not result.files
    return replace(result, state="current") if unchanged else result


def _require_known_apis(job: UpdateJob, workspace: Workspace) -> None:
    """Check that external services that it newly calls offer what the template's example calls.

    Raises SvcgenError otherwise, and for answers that the template refuses.
    """
    service, options = job.service, job.options
    answers = {**stored_answers(service.folder), **options.data.values}
    with tempfile.TemporaryDirectory(prefix="svcgen-") as temporary:
        folder = Path(temporary, service.folder.name)
        made = render_stored(
            job.new, folder, answers, "reconfigure", name=service.name, trusted=options.trusted
        )
        called = [name for name in read_service(made).calls if name not in service.calls]
        require_known_apis(made, called, workspace.root, workspace.settings)
