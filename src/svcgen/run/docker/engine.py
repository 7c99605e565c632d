"""The Docker engine: a fleet as one Compose project."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from svcgen.compose.fleet import Fleet
from svcgen.compose.stitch import stitched_files
from svcgen.compose.write import write_stitched
from svcgen.errors import SvcgenError
from svcgen.gateway.envoy.files import ComposePlacement
from svcgen.gateway.keys import changing_keys, publish_keys
from svcgen.run.access import access_folder, write_access
from svcgen.run.docker.containers import Observed, observe
from svcgen.run.docker.docker import Compose, docker
from svcgen.run.docker.environment import host_variables
from svcgen.run.docker.foreground import DockerRun, relays, require_not_served
from svcgen.run.docker.gateway import ask, can_read, wait_applied, wait_issuers
from svcgen.run.docker.lock import changing, retry_until_unlocked
from svcgen.run.docker.reconcile import reconcile, remove_volumes, require_free_port, take_down
from svcgen.run.docker.rolling import drain, scale_and_replace, stop
from svcgen.run.docker.state import (
    PASSWORDS_FILE,
    clear_state,
    forget_replicas,
    password_variables,
    project_name,
    remove_images,
    replica_counts,
    require_own_name,
    write_image_names,
)
from svcgen.run.engine import (
    GATEWAY_PORT,
    KILLED,
    Command,
    FleetRequest,
    FleetState,
    GivenVariables,
    Leaving,
    LogLine,
    Report,
)
from svcgen.run.memory import remember
from svcgen.run.passwords import forget_password
from svcgen.run.validation import find_validator
from svcgen.run.watching import end_watching, watching
from svcgen.service import Service
from svcgen.workspace import STATE_FOLDER, Workspace

PREFIX = re.compile(r"^(?P<service>\S+)-(?P<number>\d+) +\| ?(?P<text>.*)$")


class DockerEngine:
    """Runs the fleet of a workspace root from its compose.yaml."""

    name = "docker"

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def observe(self) -> FleetState:
        """Return what Docker runs of this fleet."""
        seen = observe(self.root)
        foreground, killed = relays(seen, self.root)
        return replace(seen.state, foreground=foreground, killed=killed)

    def up(self, request: FleetRequest, report: Report) -> FleetState:
        """Write compose.yaml and gateway/, then start and replace what the request needs."""
        fleet = request.fleet
        names = [service.name for service in fleet.services]
        require_not_served(self.root, sorted({*request.replaced, *request.scale}))
        for name in request.before.killed:
            report(name, KILLED)
        served = request.before.foreground
        chosen = [name for name in names if not request.only or name in request.only]
        changed = [name for name in chosen if name not in served]
        with self._changing() as (seen, holding):
            if seen.port != request.port:
                require_free_port(request.port)
            files = [member.compose_file for member in fleet.members if member.compose_file]
            write_image_names(self.root, files)
            with changing_keys(self.root):
                publish_keys(self.root)
            staying = self._staying_gateway(seen, request)
            issuers = wait_issuers(staying)
            write_stitched(
                fleet,
                stitched_files(fleet),
                wait_applied(staying),
                find_validator,
                lambda: write_access(fleet, issuers),
            )
            compose = self._compose(seen, fleet.services, request.port, holding)
            remember(self.root, project=compose.project)
            counts = replica_counts(self.root, changed, request.scale)
            reconcile(compose, request, counts, report)
        return self.observe()

    def restart(self, workspace: Workspace, name: str, report: Report) -> FleetState:
        """Replace containers by new ones of the present image; run no migration."""
        require_not_served(self.root, [name])
        with self._changing() as (seen, holding):
            old = seen.of(name)
            if not old:
                raise SvcgenError(f"'{name}' is not running.", f"Start it: svcgen up {name}")
            compose = self._compose(seen, workspace.services, seen.port, holding)
            count = replica_counts(self.root, [name], {})[name]
            scale_and_replace(compose, old, count, old, report)
        return self.observe()

    def down(self, report: Report, volumes: bool = False) -> None:
        """Remove containers and networks; with `volumes` also the data of the databases."""
        end_watching(self.root)
        project = project_name(self.root, observe(self.root))
        retry_until_unlocked(self.root, lambda: take_down(self.root, project, report))
        if volumes:
            remove_volumes(project, report)
            remove_images(self.root)
        clear_state(self.root)

    def remove(self, leaving: Leaving, request: FleetRequest, report: Report) -> FleetState:
        """Remove the containers of a service and of what its compose.yaml starts beside it."""
        with self._changing() as (seen, _holding):
            files = [each.compose_file for each in request.fleet.members if each.compose_file]
            write_image_names(self.root, files)
            own = seen.of(leaving.name)
            drain(own, report)
            beside = [each for each in seen.of(*leaving.containers) if each not in own]
            stop([container.id for container in beside])
            project = project_name(self.root, seen)
            for network in leaving.networks:
                docker("network", "rm", f"{project}_{network}", tolerate=True)
            forget_replicas(self.root, leaving.name)
        return self.observe()

    def data_of(self, leaving: Leaving) -> tuple[str, ...]:
        """Return the volumes of the service that exist."""
        project = project_name(self.root, observe(self.root))
        existing = docker("volume", "ls", "--format", "{{.Name}}").split()
        volumes = (f"{project}_{volume}" for volume in leaving.volumes)
        return tuple(volume for volume in volumes if volume in existing)

    def delete_data(self, leaving: Leaving, report: Report) -> None:
        """Remove the volumes of a service, its image and its password."""
        for volume in self.data_of(leaving):
            docker("volume", "rm", volume)
            report(volume, "removed with its data")
        remove_images(self.root, leaving.containers)
        forget_password(self.root / STATE_FOLDER / PASSWORDS_FILE, leaving.name)

    def logs(self, names: Sequence[str], follow: bool, tail: int) -> Iterator[LogLine]:
        """Yield what the containers wrote, oldest first within each."""
        options = ["--no-color", "--tail", str(tail), *(["--follow"] if follow else [])]
        compose = Compose(self.root, project_name(self.root, observe(self.root)))
        with _output(compose.lines("logs", *options, *names)) as lines:
            for line in lines:
                if match := PREFIX.match(line.rstrip("\r\n")):
                    yield LogLine(match["service"], int(match["number"]), match["text"])

    def run(self, request: FleetRequest, command: Command, report: Report) -> int:
        """Run a command of the terminal that serves the one service in `replaced`."""
        (name,) = request.replaced
        fleet = request.fleet
        require_not_served(self.root, [name])
        given = self.environment(fleet, name, request.before)
        for variable, reason in given.missing.items():
            report(name, f"{variable} has no value: {reason}")
        run = DockerRun(
            name=name,
            folder=next(each.folder for each in fleet.services if each.name == name),
            upstream=next(each for each in fleet.upstreams if each.service == name),
            changing=partial(self._waiting, fleet.services),
            report=report,
        )
        return run.serve(self.root, command, given.variables)

    def ask_gateway(self, page: str) -> str:
        """Return the text of a page of Envoy's admin, which listens in the container."""
        seen = observe(self.root)
        seen.state.require_gateway()
        return ask(seen.gateway, page)

    def environment(self, fleet: Fleet, name: str, state: FleetState) -> GivenVariables:
        """Return the variables of compose.yaml with addresses that this machine reaches."""
        seen = observe(self.root)
        compose = self._compose(seen, fleet.services, state.port)
        return host_variables(compose, seen, name)

    def watch(self, workspace: Workspace, report: Report) -> None:
        """Sync or rebuild on every save, as each compose.yaml defines, until Ctrl-C or `down`."""
        seen = observe(self.root)
        compose = self._compose(seen, workspace.services, seen.port)
        process = compose.lines("watch", "--no-up")
        with _output(process) as lines, watching(self.root, process.terminate):
            for line in lines:
                report("watch", line.strip())

    def _staying_gateway(self, seen: Observed, request: FleetRequest) -> str:
        """Return the gateway's container that reads the new files; empty when it is replaced."""
        settings = request.fleet.settings.gateway
        if settings.tls is None or can_read(seen.gateway, str(ComposePlacement.secrets)):
            return seen.gateway
        if request.only:
            problem = "`gateway.tls` is new in svcgen.yaml, and needs another gateway container."
            raise SvcgenError(problem, "Bring up the whole fleet: svcgen up")
        return ""

    @contextmanager
    def _changing(self) -> Iterator[tuple[Observed, int]]:
        """Hold the fleet's lock; yield what runs and the lock's file descriptor."""
        with changing(self.root) as descriptor:
            yield observe(self.root), descriptor

    @contextmanager
    def _waiting(self, services: Sequence[Service]) -> Iterator[Compose]:
        """Wait for the fleet's lock and hold it."""
        with changing(self.root, wait=True) as descriptor:
            seen = observe(self.root)
            yield self._compose(seen, services, seen.port, descriptor)

    def _compose(
        self, seen: Observed, services: Sequence[Service], port: int | None, *holding: int
    ) -> Compose:
        project = project_name(self.root, seen)
        require_own_name(project, seen)
        environment = password_variables(self.root, services, project)
        environment["GATEWAY_PORT"] = str(port or GATEWAY_PORT)
        environment["GATEWAY_ACCESS"] = str(access_folder(self.root))
        return Compose(self.root, project, environment, holding)


@contextmanager
def _output(process: subprocess.Popen[str]) -> Iterator[Iterable[str]]:
    """Yield the lines of a process, and end it afterwards."""
    with process:
        try:
            yield process.stdout or ()
        finally:
            process.terminate()
