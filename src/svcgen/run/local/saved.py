"""What the supervisor keeps in its state file, so that another one can continue its fleet.

Each process has its pid with the time of its start: a later process with the same pid is another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from svcgen.files import read_text, write_atomic
from svcgen.ports import LOOPBACK
from svcgen.run.local.paths import Paths
from svcgen.run.local.protocol import ProgramPlan, ServicePlan, read_program
from svcgen.run.passwords import stored_passwords


@dataclass(frozen=True)
class SavedProcess:
    """One supervised process: `number` and `port` of a replica, and how often it was restarted."""

    pid: int
    started: float
    port: int
    number: int = 1
    restarts: int = 0


@dataclass(frozen=True)
class SavedProgram:
    """The gateway or the database: where its programs are, and its process."""

    program: str
    process: SavedProcess


@dataclass(frozen=True)
class SavedHelper:
    """A program of svcgen.yaml and its process."""

    plan: ProgramPlan
    process: SavedProcess


@dataclass(frozen=True)
class SavedService:
    """A service, the number of its newest replica, and the replicas that have been ready."""

    plan: ServicePlan
    newest: int
    replicas: tuple[SavedProcess, ...]


@dataclass(frozen=True)
class SavedFleet:
    """A fleet as its supervisor saw it last; `pid` is the supervisor's."""

    pid: int
    seconds: float = 0.0
    gateway: SavedProgram | None = None
    database: SavedProgram | None = None
    services: tuple[SavedService, ...] = ()
    helpers: tuple[SavedHelper, ...] = ()
    internal: Mapping[str, int] = field(default_factory=dict)

    @property
    def labels(self) -> frozenset[str]:
        """The labels of its processes."""
        programs = {"gateway-1": self.gateway, "database-1": self.database}
        found = {name for name, program in programs.items() if program}
        found |= {helper.plan.replica for helper in self.helpers}
        for service in self.services:
            found |= {f"{service.plan.name}-{replica.number}" for replica in service.replicas}
        return frozenset(found)


def save_fleet(paths: Paths, fleet: SavedFleet) -> None:
    """Write the state file, which only its owner can read. Raises OSError."""
    write_atomic(paths.state_file, json.dumps(asdict(fleet)), 0o600)


def read_fleet(paths: Paths) -> SavedFleet | None:
    """Return the fleet of the state file; None without one that can be continued."""
    try:
        content = json.loads(read_text(paths.state_file) or "")
        return SavedFleet(
            pid=int(content["pid"]),
            seconds=float(content["seconds"]),
            gateway=_program(content["gateway"]),
            database=_program(content["database"]),
            services=tuple(_service(service) for service in content["services"]),
            helpers=tuple(_helper(helper) for helper in content["helpers"]),
            internal=content["internal"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no fleet, an earlier svcgen's, or one whose first start was in progress


def database_address(name: str, password: str, port: int) -> str:
    """Return the DATABASE_URL of a service."""
    return f"postgresql://{name}:{password}@{LOOPBACK}:{port}/{name}"


def stored_address(paths: Paths, name: str) -> str:
    """Return the DATABASE_URL of a service while the database runs; empty before its first start.

    Raises SvcgenError when the passwords cannot be read.
    """
    fleet = read_fleet(paths)
    password = stored_passwords(paths.passwords, ()).get(name)
    if not (fleet and fleet.database and password):
        return ""
    return database_address(name, password, fleet.database.process.port)


def _program(content: Mapping[str, Any] | None) -> SavedProgram | None:
    if content is None:
        return None
    return SavedProgram(content["program"], SavedProcess(**content["process"]))


def _helper(content: Mapping[str, Any]) -> SavedHelper:
    return SavedHelper(read_program(content["plan"]), SavedProcess(**content["process"]))


def _service(content: Mapping[str, Any]) -> SavedService:
    replicas = tuple(SavedProcess(**replica) for replica in content["replicas"])
    return SavedService(ServicePlan(**content["plan"]), content["newest"], replicas)
