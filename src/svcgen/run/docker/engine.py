"""The Docker engine: a fleet as one Compose project."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.run.docker.containers import containers
from svcgen.run.docker.docker import Compose
from svcgen.run.docker.lock import changing, retry_until_unlocked
from svcgen.run.docker.passwords import passwords
from svcgen.run.docker.plan import read_plan
from svcgen.run.docker.reconcile import (
    bring_in_line,
    bring_up,
    build,
    remove_volumes,
    renew,
    require_free_port,
    start_missing,
    take_down,
)
from svcgen.run.docker.rolling import replicas, roll
from svcgen.run.docker.state import clear_state, project_name, replica_counts, require_own_name
from svcgen.run.engine import GATEWAY, GATEWAY_PORT, FleetRequest, LogLine, Replica, Report
from svcgen.workspace import open_workspace

PREFIX = re.compile(r"^(?P<service>\S+)-(?P<number>\d+) +\| ?(?P<text>.*)$")


class DockerEngine:
    """Runs the fleet of a workspace root from its compose.yaml."""

    name = "docker"

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def running(self) -> bool:
        """Tell whether any container of this fleet runs."""
        return any(container.runs for container in containers(self.root))

    def port(self) -> int | None:
        """Return the gateway's published port."""
        for container in containers(self.root):
            if container.service == GATEWAY and container.published:
                return int(container.published.rpartition(":")[2])
        return None

    def up(self, fleet: FleetRequest, report: Report) -> None:
        """Bring the whole fleet to what compose.yaml and `fleet` say."""
        names = [one.name for one in fleet.workspace.services]
        touched = [name for name in names if not fleet.only or name in fleet.only]
        with self._changing(fleet) as compose:
            if self.port() != fleet.port:
                require_free_port(fleet.port)
            if not fleet.only:
                bring_in_line(compose, report)
            bring_up(compose, touched, replica_counts(self.root, touched, fleet.scale), report)

    def replace(self, fleet: FleetRequest, name: str, report: Report) -> None:
        """Build one service and put it in the place of its replicas that run."""
        with self._changing(fleet) as compose:
            build(compose, [name], report)
            scale = replica_counts(self.root, [name], fleet.scale)
            plan = read_plan(compose)
            if name not in start_missing(compose, plan, [name], scale, report):
                renew(compose, plan, name, scale[name], report)

    def restart(self, name: str, report: Report) -> None:
        """Put new containers of the present image in the place of the old ones; no migration."""
        fleet = FleetRequest(open_workspace(self.root), self.port() or GATEWAY_PORT)
        with self._changing(fleet) as compose:
            old = replicas(self.root, name)
            if not old:
                raise SvcgenError(f"{name} does not run.", f"`svcgen up {name}` starts it.")
            roll(compose, name, replica_counts(self.root, [name], {})[name], old, report)

    def down(self, report: Report, volumes: bool = False) -> None:
        """Remove containers and networks; with `volumes` also what the databases hold."""
        project = project_name(self.root)
        retry_until_unlocked(self.root, lambda: take_down(self.root, project, report))
        if volumes:
            remove_volumes(project, report)
        clear_state(self.root)

    def ps(self) -> list[Replica]:
        """List all containers but migrations that ended well."""
        found = containers(self.root)
        return [one.replica for one in found if not (one.migration and one.ready)]

    def logs(self, names: Sequence[str], follow: bool, tail: int) -> Iterator[LogLine]:
        """Yield what the containers wrote, oldest first within each."""
        options = ["--no-color", "--tail", str(tail), *(["--follow"] if follow else [])]
        compose = Compose(self.root, project_name(self.root))
        with compose.lines("logs", *options, *names) as process:
            try:
                for line in process.stdout or ():
                    match = PREFIX.match(line.rstrip("\r\n"))
                    if match:
                        yield LogLine(match["service"], int(match["number"]), match["text"])
            finally:
                process.terminate()

    def watch(self, report: Report) -> None:
        """Sync or rebuild on every save, as each compose.yaml says, until it is interrupted."""
        fleet = FleetRequest(open_workspace(self.root), self.port() or GATEWAY_PORT)
        with self._compose(fleet).lines("watch", "--no-up") as process:
            try:
                for line in process.stdout or ():
                    report("watch", line.strip())
            finally:
                process.terminate()

    @contextmanager
    def _changing(self, fleet: FleetRequest) -> Iterator[Compose]:
        with changing(self.root) as lock:
            compose = self._compose(fleet, lock)
            require_own_name(self.root, compose.project)
            yield compose

    def _compose(self, fleet: FleetRequest, *holding: int) -> Compose:
        project = project_name(self.root)
        environment = passwords(fleet.workspace, project)
        environment["GATEWAY_PORT"] = str(fleet.port)
        return Compose(self.root, project, environment, holding)
