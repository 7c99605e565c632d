"""`svcgen env NAME`: what the fleet gives a service, for a process of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from svcgen.run.choose import choose_engine
from svcgen.workspace import Workspace


@dataclass(frozen=True)
class EnvResult:
    """Variables by name, sorted; `missing` has those without a value, and why."""

    service: str
    engine: str
    variables: Mapping[str, str]
    missing: Mapping[str, str]


def env(workspace: Workspace, name: str) -> EnvResult:
    """Return what the running fleet gives a service, or what the next one will.

    PORT is a free one. Raises SvcgenError when the service does not exist, and FaultsError when it
    and those that it calls do not fit together.
    """
    from svcgen.compose.write import checked_fleet

    service = workspace.service(name)
    fleet = checked_fleet(workspace, [service.name])
    choice = choose_engine(workspace.root)
    given = choice.engine.environment(fleet, service.name, choice.state)
    return EnvResult(
        service=service.name,
        engine=choice.engine.name,
        variables=dict(sorted(given.variables.items())),
        missing=dict(sorted(given.missing.items())),
    )
