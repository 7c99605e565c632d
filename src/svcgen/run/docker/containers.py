"""The containers of one workspace root, observed at one moment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.run.docker.docker import docker
from svcgen.run.engine import GATEWAY, FleetState, Replica

# Compose writes these labels; they identify a container better than its name does.
LABEL = "com.docker.compose."
RELAY = "svcgen.dev/relay"  # a label: the container forwards to the process of `svcgen run`
RUNNING = "running"
MIGRATE = "-migrate"
DATABASE = "-db"


@dataclass(frozen=True)
class Container:
    """One container: `status` and `health` in Docker's words; `definition` and `image` are digests.

    `restarted` is true when Docker starts it again after its end, `restarts` counts how often.
    `host` is its own address on the platform network ("172.18.0.3"), `published` where this
    machine reaches it ("127.0.0.1:8000"); either may be empty. `needs` are the services that it
    depends on.
    """

    id: str
    project: str
    service: str
    number: int
    status: str
    health: str
    exit_code: int
    restarts: int
    restarted: bool
    pid: int
    definition: str
    image: str
    host: str
    published: str
    port: str
    needs: tuple[str, ...]
    relay: bool = False

    @property
    def runs(self) -> bool:
        """Whether it runs, or Docker is about to start it again.

        One that is only created waits for a migration that failed.
        """
        return self.status in {RUNNING, "restarting", "paused"}

    @property
    def migration(self) -> bool:
        """Whether it does its work once and ends."""
        return self.service.endswith(MIGRATE)

    @property
    def done(self) -> bool:
        """Whether it has ended without an error, and Docker does not start it again."""
        return self.status == "exited" and self.exit_code == 0 and not self.restarted

    @property
    def ready(self) -> bool:
        """Whether it does its work: healthy, or, for a migration, ended without an error."""
        if self.migration:
            return self.status == "exited" and self.exit_code == 0
        return self.status == RUNNING and self.health in {"healthy", "none"}

    @property
    def replica(self) -> Replica:
        """The same in the terms of both engines."""
        if self.status == RUNNING:
            state = {"starting": "starting", "unhealthy": "unready"}.get(self.health, "ready")
        else:
            state = {"restarting": "restarting", "created": "starting"}.get(self.status, "exited")
        address = self.published or (f"{self.host}:{self.port}" if self.host else "")
        return Replica(self.service, self.number, state, self.restarts, address, self.pid)


@dataclass(frozen=True)
class Observed:
    """All containers of a root, by service and number, and the roots of other fleets.

    `others` has the root of another fleet by its project name.
    """

    containers: tuple[Container, ...]
    others: Mapping[str, Path]

    @property
    def project(self) -> str:
        """The project of these containers; empty when there is none."""
        return next((container.project for container in self.containers), "")

    @property
    def services(self) -> frozenset[str]:
        """The services that have a container, running or not."""
        return frozenset(container.service for container in self.containers)

    @property
    def running(self) -> frozenset[str]:
        """The services of which a container runs."""
        return frozenset(container.service for container in self.containers if container.runs)

    @property
    def gateway(self) -> str:
        """The id of the gateway's container; empty when it does not run."""
        return next((container.id for container in self.of(GATEWAY) if container.pid), "")

    @property
    def port(self) -> int | None:
        """The gateway's published port."""
        published = [container.published for container in self.of(GATEWAY) if container.published]
        return int(published[0].rpartition(":")[2]) if published else None

    @property
    def state(self) -> FleetState:
        """The same in the terms of both engines, without migrations that have succeeded."""
        shown = [
            container
            for container in self.containers
            if not (container.migration and container.ready)
        ]
        replicas = tuple(container.replica for container in shown)
        return FleetState(bool(self.running), self.port, replicas)

    def of(self, *services: str) -> list[Container]:
        """Return the containers of services."""
        return [container for container in self.containers if container.service in services]


def observe(root: Path) -> Observed:
    """Return all containers that Compose made from a root's compose.yaml."""
    labels = [f'{{{{.Label "{LABEL}{name}"}}}}' for name in ("project", "project.working_dir")]
    options = ("--all", "--no-trunc", "--filter", f"label={LABEL}project.working_dir")
    rows = docker("ps", *options, "--format", "\t".join(["{{.ID}}", *labels]))
    found = [row.split("\t", 2) for row in rows.splitlines()]
    others = {project: Path(folder) for _id, project, folder in found if folder != str(root)}
    ids = [identifier for identifier, _project, folder in found if folder == str(root)]
    return Observed(_inspected(ids), others)


def _inspected(ids: Sequence[str]) -> tuple[Container, ...]:
    """Read containers by id; one that was removed meanwhile is left out."""
    if not ids:
        return ()
    output = docker("container", "inspect", *ids, tolerate=True)
    found = [_container(details) for details in json.loads(output or "[]")]
    return tuple(sorted(found, key=lambda container: (container.service, container.number)))


def _container(details: dict[str, Any]) -> Container:
    labels, state = details["Config"]["Labels"], details["State"]
    return Container(
        id=details["Id"],
        project=labels[f"{LABEL}project"],
        service=labels[f"{LABEL}service"],
        number=int(labels.get(f"{LABEL}container-number", 1)),
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", "none"),
        exit_code=state["ExitCode"],
        restarts=details["RestartCount"],
        restarted=details["HostConfig"]["RestartPolicy"]["Name"] not in {"", "no"},
        pid=state["Pid"],
        definition=labels.get(f"{LABEL}config-hash", ""),
        image=details["Image"],
        host=_host(details["NetworkSettings"]["Networks"]),
        published=_published(details["NetworkSettings"].get("Ports") or {}),
        port=_port(details["Config"]),
        needs=tuple(
            need.partition(":")[0]
            for need in labels.get(f"{LABEL}depends_on", "").split(",")
            if need
        ),
        relay=RELAY in labels,
    )


def _host(networks: dict[str, Any]) -> str:
    """Return the address on the shared network, else on another one, as a database has."""
    shared = sorted(networks, key=lambda name: not name.endswith("_platform"))
    return next((networks[name]["IPAddress"] for name in shared), "")


def _published(ports: dict[str, Any]) -> str:
    for bindings in ports.values():
        for binding in bindings or ():
            return f"{binding['HostIp']}:{binding['HostPort']}"
    return ""


def _port(config: dict[str, Any]) -> str:
    for setting in config.get("Env") or ():
        if setting.startswith("PORT="):
            return str(setting.removeprefix("PORT="))
    return next((str(port).split("/")[0] for port in config.get("ExposedPorts") or {}), "")
