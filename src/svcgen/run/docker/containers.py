"""What runs: the containers of one workspace root, as Docker tells it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.run.docker.docker import docker
from svcgen.run.engine import Replica

# Compose writes these labels; they say more than names do.
LABEL = "com.docker.compose."
RUNNING = "running"
MIGRATE = "-migrate"
DATABASE = "-db"


@dataclass(frozen=True)
class Container:
    """One container: `status` and `health` in Docker's words; `definition` and `image` are digests.

    `restarted` says that Docker starts it again when it ends, `restarts` how often it has.

    `host` is its own address on the platform network ("172.18.0.3"), `published` where this
    machine reaches it ("127.0.0.1:8000"); either may be empty.
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

    @property
    def runs(self) -> bool:
        """Whether it runs, or Docker is about to start it again."""
        return self.status in {RUNNING, "restarting", "created", "paused"}

    @property
    def migration(self) -> bool:
        """Whether it does its work once and ends."""
        return self.service.endswith(MIGRATE)

    @property
    def ready(self) -> bool:
        """Whether it does its work: healthy, or ended well when it is a migration."""
        if self.migration:
            return self.status == "exited" and self.exit_code == 0
        return self.status == RUNNING and self.health in {"healthy", "none"}

    @property
    def replica(self) -> Replica:
        """The same in the words that both engines use."""
        address = self.published or (f"{self.host}:{self.port}" if self.host else "")
        return Replica(self.service, self.number, self._state(), self.restarts, address, self.pid)

    def _state(self) -> str:
        if self.status == RUNNING:
            return {"starting": "starting", "unhealthy": "unready"}.get(self.health, "ready")
        return {"restarting": "restarting", "created": "starting"}.get(self.status, "exited")


def containers(root: Path) -> tuple[Container, ...]:
    """List all containers that Compose made from a root's compose.yaml, by service and number."""
    wanted = f"label={LABEL}project.working_dir={root}"
    found = docker("ps", "--all", "--quiet", "--no-trunc", "--filter", wanted).split()
    return inspect(found)


def inspect(ids: Sequence[str]) -> tuple[Container, ...]:
    """Look at containers by id; one that has gone since is left out."""
    if not ids:
        return ()
    told = docker("container", "inspect", *ids, tolerate=True)
    found = (_container(one) for one in json.loads(told or "[]"))
    return tuple(sorted(found, key=lambda container: (container.service, container.number)))


def _container(told: dict[str, Any]) -> Container:
    labels, state = told["Config"]["Labels"], told["State"]
    return Container(
        id=told["Id"],
        project=labels[f"{LABEL}project"],
        service=labels[f"{LABEL}service"],
        number=int(labels.get(f"{LABEL}container-number", 1)),
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", "none"),
        exit_code=state["ExitCode"],
        restarts=told["RestartCount"],
        restarted=told["HostConfig"]["RestartPolicy"]["Name"] not in {"", "no"},
        pid=state["Pid"],
        definition=labels.get(f"{LABEL}config-hash", ""),
        image=told["Image"],
        host=_host(told["NetworkSettings"]["Networks"]),
        published=_published(told["NetworkSettings"].get("Ports") or {}),
        port=_port(told["Config"]),
    )


def _host(networks: dict[str, Any]) -> str:
    """Prefer the address on the shared network; a database has only its own."""
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
