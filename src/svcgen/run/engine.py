"""One face for both ways to run a fleet: in Docker, or as processes on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
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
class Fleet:
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

    def up(self, fleet: Fleet, report: Report) -> None:
        """Bring up what does not run yet, replace what changed, scale; return when all is ready.

        On a running fleet no request is lost. A service that does not become ready is named,
        with its last log lines.
        """

    def replace(self, fleet: Fleet, name: str, report: Report) -> None:
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


def choose_engine(root: Path, wanted: str | None = None) -> tuple[Engine, str]:
    """Return the engine to use below a workspace root, and why it is this one.

    The one that already runs the fleet; else the wanted one; else Docker where an engine answers;
    else local. Raises SvcgenError when the fleet runs in another engine than the wanted one, or
    when the wanted one is not there.
    """
    if wanted not in {None, *ENGINES}:
        raise SvcgenError(f'There is no engine "{wanted}".', f"Choose {' or '.join(ENGINES)}.")
    from svcgen.run.docker.cli import docker_answers
    from svcgen.run.docker.engine import DockerEngine
    from svcgen.run.local.engine import LocalEngine

    local: Engine = LocalEngine(root)
    if local.running():
        return _running(local, wanted)
    answer = docker_answers()
    if answer.problem:
        return _without_docker(local, answer.problem, wanted)
    docker: Engine = DockerEngine(root)
    if docker.running():
        return _running(docker, wanted)
    if wanted:
        return (docker if wanted == "docker" else local), f"--engine {wanted}"
    return docker, f"Docker {answer.version} answers"


def _without_docker(local: Engine, problem: str, wanted: str | None) -> tuple[Engine, str]:
    if wanted == "docker":
        raise SvcgenError(problem, "Start Docker, or use `--engine local`.")
    return local, "--engine local" if wanted else problem


def _running(engine: Engine, wanted: str | None) -> tuple[Engine, str]:
    if wanted not in {None, engine.name}:
        raise SvcgenError(
            f"The fleet already runs with the {engine.name} engine.",
            f"`svcgen down` ends it; then `svcgen up --engine {wanted}`.",
        )
    return engine, f"the fleet runs with the {engine.name} engine"


def silent(_service: str, _text: str) -> None:
    """Pass over progress: for callers who want the result alone."""


def refuse_absent(engine: Engine, name: str) -> None:
    """Raise SvcgenError when nothing of this name runs; databases and gateway count, too."""
    running = sorted({replica.service for replica in engine.ps()})
    if not running:
        raise SvcgenError("No fleet runs here.", "`svcgen up` starts it.")
    if name not in running:
        raise SvcgenError(f'"{name}" does not run.', f"These do: {', '.join(running)}.")
