"""One face for both ways to run a fleet: in Docker, or as processes on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from svcgen.errors import SvcgenError
from svcgen.workspace import Workspace

ENGINES = ("docker", "local")
GATEWAY = "gateway"
GATEWAY_PORT = 8000

Report = Callable[[str, str], None]
"""Told what happens while it happens: the service ("orders", "gateway"), then a few words."""


@dataclass(frozen=True)
class Replica:
    """One running copy of a service, or of what the fleet needs besides (gateway, database).

    `state` is one of starting, ready, unready, restarting, exited; `restarts` counts how often it
    came back by itself; `address` is where it answers ("127.0.0.1:41801", empty when nowhere);
    `pid` is the server process on this machine, 0 when it is not running.
    """

    service: str
    number: int
    state: str
    restarts: int = 0
    address: str = ""
    pid: int = 0


@dataclass(frozen=True)
class LogLine:
    """One line that a replica wrote, without its newline."""

    service: str
    number: int
    text: str


@dataclass(frozen=True)
class FleetRequest:
    """What is to run: a workspace narrowed to its services that run, and how many of each.

    `port` is the gateway's on 127.0.0.1. A service without an entry in `scale` keeps the number it
    runs with, or starts with one. `only`, when not empty, names the services that `up` may touch;
    the others run on as they are, even when they have changed on disk.
    """

    workspace: Workspace
    port: int = GATEWAY_PORT
    scale: Mapping[str, int] = field(default_factory=dict)
    only: frozenset[str] = frozenset()


class Engine(Protocol):
    """Runs the fleet of one workspace root. Every method raises SvcgenError when it cannot."""

    @property
    def name(self) -> str:
        """`docker` or `local`."""

    def running(self) -> bool:
        """Tell whether anything of this workspace's fleet runs, also half of one."""

    def port(self) -> int | None:
        """Return the running gateway's port on 127.0.0.1, None when no gateway runs."""

    def up(self, fleet: FleetRequest, report: Report) -> None:
        """Bring up what does not run yet, replace what changed, scale; return when all is ready.

        On a running fleet no request is lost. A service that does not become ready is named,
        with its last log lines.
        """

    def replace(self, fleet: FleetRequest, name: str, report: Report) -> None:
        """Put newly built replicas of one service in the place of the old ones.

        No request is lost and nothing else is touched; when the new ones do not become ready, they
        are taken away again and the old ones stay.
        """

    def restart(self, name: str, report: Report) -> None:
        """Put fresh replicas of the same build in the place of the old ones, as `replace` does."""

    def down(self, report: Report, volumes: bool = False) -> None:
        """End everything of the fleet; nothing running is no error.

        The databases' data stay, unless `volumes` says otherwise.
        """

    def ps(self) -> list[Replica]:
        """List all replicas by service and number."""

    def logs(self, names: Sequence[str], follow: bool, tail: int) -> Iterator[LogLine]:
        """Yield the last `tail` lines of each replica of these services (none named: of all).

        With `follow` it goes on with new lines until the iterator is closed or the fleet ends.
        """


def silent(_service: str, _text: str) -> None:
    """Pass over progress: for callers who want the result alone."""


def require_running(engine: Engine, name: str) -> None:
    """Raise SvcgenError when nothing of this name runs; databases and gateway count, too."""
    running = sorted({replica.service for replica in engine.ps()})
    if not running:
        raise SvcgenError("No fleet runs here.", "`svcgen up` starts it.")
    if name not in running:
        raise SvcgenError(f'"{name}" does not run.', f"These do: {', '.join(running)}.")
