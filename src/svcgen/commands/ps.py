"""`svcgen ps`: what runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from svcgen.run.choose import choose_engine
from svcgen.run.engine import KILLED, Replica
from svcgen.workspace import Workspace


@dataclass(frozen=True)
class PsResult:
    """The replicas of a fleet; `url` is empty when no gateway runs.

    `notes` has, by service, what is to be known beside them: that `svcgen run` serves it.
    """

    engine: str
    url: str
    replicas: tuple[Replica, ...]
    notes: Mapping[str, str] = field(default_factory=dict)


def ps(workspace: Workspace) -> PsResult:
    """Return all replicas of the fleet; it is not an error when nothing runs."""
    choice = choose_engine(workspace.root)
    port = choice.state.port
    url = workspace.settings.gateway.url(port) if port else ""
    notes = dict.fromkeys(choice.state.killed, KILLED)
    notes |= dict.fromkeys(choice.state.foreground, "served by `svcgen run`")
    return PsResult(choice.engine.name, url, choice.state.replicas, notes)
