"""The interface of both engines: a fleet in Docker, or as processes on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from svcgen.errors import SvcgenError
from svcgen.workspace import Workspace

if TYPE_CHECKING:
    from svcgen.compose.fleet import Fleet

ENGINES = ("docker", "local")
REPEAT = "Fix the cause, then run the same command again."  # advice for a start that failed
GATEWAY = "gateway"
GATEWAY_PORT = 8000
KILLED = "its `svcgen run` was killed; the replica of the fleet was started again"
SERVICE_PORT = 8080  # of a service that runs alone: the default of PORT in the contract

Report = Callable[[str, str], None]
"""Called for each step: with the service ("orders", "gateway"), then a few words."""

Command = Callable[[Mapping[str, str]], Sequence[str]]
"""Called with the variables of the fleet; returns the command that serves, and its arguments."""


@dataclass(frozen=True)
class Replica:
    """One running copy of a service, of the gateway or of a database.

    `state` is one of starting, ready, unready, restarting, exited; `restarts` counts how often the
    engine started it again; `address` is host and port ("127.0.0.1:41801", empty without one);
    `pid` is the server process on this machine, 0 when it does not run.
    """

    service: str
    number: int
    state: str
    restarts: int = 0
    address: str = ""
    pid: int = 0


@dataclass(frozen=True)
class FleetState:
    """What an engine runs, observed at one moment.

    `running` is true also for a part of a fleet. `port` is the gateway's on 127.0.0.1, None when
    no gateway runs. `replicas` are sorted by service and number. `internal` has the loopback ports
    of called services; only the local engine has them. `foreground` are the services that
    `svcgen run` serves, `killed` those whose `svcgen run` was killed since the last `up`.
    """

    running: bool = False
    port: int | None = None
    replicas: tuple[Replica, ...] = ()
    internal: Mapping[str, int] = field(default_factory=dict)
    foreground: tuple[str, ...] = ()
    killed: tuple[str, ...] = ()

    @property
    def services(self) -> frozenset[str]:
        """The names of what has replicas; databases and gateway are among them."""
        return frozenset(replica.service for replica in self.replicas)

    def require_gateway(self) -> None:
        """Raise SvcgenError when no gateway runs."""
        if self.port is None:
            raise SvcgenError("No gateway is running.", "Start the fleet: svcgen up")

    def require_running(self, name: str) -> None:
        """Raise SvcgenError when no replica has this name."""
        if not self.replicas:
            raise SvcgenError("No fleet is running.", "Start it: svcgen up")
        if name not in self.services:
            running = ", ".join(sorted(self.services))
            raise SvcgenError(f"'{name}' is not running.", f"Running: {running}.")


@dataclass(frozen=True)
class LogLine:
    """One line that a replica wrote, without its newline."""

    service: str
    number: int
    text: str


@dataclass(frozen=True)
class GivenVariables:
    """What a fleet gives a service, as a process of this machine can use it.

    `missing` has the variables that have no such value, and why.
    """

    variables: Mapping[str, str]
    missing: Mapping[str, str]


@dataclass(frozen=True)
class FleetRequest:
    """What is to run: a checked fleet with only its services that run, and how many of each.

    `port` is the gateway's on 127.0.0.1. A service without an entry in `scale` keeps the number it
    runs with, or starts with one. `only`, when not empty, names the services that may change; the
    others keep running, also when they have changed on disk. `replaced` are services that run and
    get new replicas although nothing of them has changed. `before` is what ran at the request.
    """

    fleet: Fleet
    port: int = GATEWAY_PORT
    scale: Mapping[str, int] = field(default_factory=dict)
    only: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    before: FleetState = FleetState()


@dataclass(frozen=True)
class Leaving:
    """A service that leaves the workspace, and what its compose.yaml defines.

    `containers` are the names of all services in that file, its own among them.
    """

    name: str
    containers: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


class Engine(Protocol):
    """Runs the fleet of one workspace root. Every method raises SvcgenError when it cannot."""

    @property
    def name(self) -> str:
        """`docker` or `local`."""

    def observe(self) -> FleetState:
        """Return what runs now, also what a killed svcgen left."""

    def up(self, request: FleetRequest, report: Report) -> FleetState:
        """Start what does not run, replace what changed, scale; return what runs when all is ready.

        On a running fleet no request is lost. When new replicas do not become ready, they are
        removed and the old ones stay; the error has their last log lines.
        """

    def restart(self, workspace: Workspace, name: str, report: Report) -> FleetState:
        """Replace the replicas of one service by new ones of the same build; lose no request."""

    def down(self, report: Report, volumes: bool = False) -> None:
        """Stop everything of the fleet; nothing running is not an error.

        The data of the databases stays, unless `volumes` is true.
        """

    def remove(self, leaving: Leaving, request: FleetRequest, report: Report) -> FleetState:
        """Stop one service of a running fleet after its requests; return what runs then.

        `request` has the fleet that stays. Compose's files have been written for it already.
        """

    def data_of(self, leaving: Leaving) -> tuple[str, ...]:
        """Return the names of the databases or volumes that have a service's data."""

    def delete_data(self, leaving: Leaving, report: Report) -> None:
        """Delete the data of a service that does not run, and forget its password."""

    def logs(self, names: Sequence[str], follow: bool, tail: int) -> Iterator[LogLine]:
        """Yield the last `tail` lines of each replica of these services (no name: of all).

        With `follow`, new lines follow until the iterator is closed or the fleet ends.
        """

    def run(self, request: FleetRequest, command: Command, report: Report) -> int:
        """Run a command that serves the one service in `replaced`; return its exit code.

        The replicas of the service return when the command has ended. 0 is also the exit code of a
        command that Ctrl-C or SIGTERM has ended.
        """

    def ask_gateway(self, page: str) -> str:
        """Return the text of a page of the admin of the gateway that runs."""

    def environment(self, fleet: Fleet, name: str, state: FleetState) -> GivenVariables:
        """Return what the running fleet gives a service of `fleet`, or what the next one will."""


def silent(_service: str, _text: str) -> None:
    """Ignore progress: for callers that need the result alone."""
