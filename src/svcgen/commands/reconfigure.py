"""`svcgen reconfigure`: other answers for a service, at the template version that it has."""

from __future__ import annotations

from dataclasses import replace

from svcgen.render.trust import Allows, never
from svcgen.update.jobs import jobs
from svcgen.update.model import Options, Outcome
from svcgen.update.selection import Selection
from svcgen.update.worker import update_service


def reconfigure(selection: Selection, options: Options, allows: Allows = never) -> Outcome:
    """Merge what the template renders from the answers in `options.data` into one service.

    It is an update that ends at the version where it began; `current` when nothing would change.
    """
    (service,) = selection.services
    begun, ended = jobs(selection, replace(options, ref=service.version), allows)
    if ended:
        return ended[0]
    outcome = update_service(begun[0])
    nothing = outcome.state == "updated" and not outcome.files
    return replace(outcome, state="current") if nothing else outcome
