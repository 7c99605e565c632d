"""Tiny services in containers that start in a moment, and what tests ask of such a fleet."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.commands.down import down
from svcgen.commands.up import UpResult, up
from svcgen.ports import free_port
from svcgen.run.docker.engine import DockerEngine
from svcgen.workspace import Workspace, open_workspace, state_folder, workspace_id
from tests.support.repository import REPOSITORY

TINY = REPOSITORY / "tests" / "data" / "tiny_image"


@dataclass(frozen=True)
class DockerWorkspace:
    """A workspace folder of tiny services and the port that its gateway gets."""

    root: Path
    port: int

    @property
    def workspace(self) -> Workspace:
        return open_workspace(self.root)

    @property
    def engine(self) -> DockerEngine:
        return DockerEngine(self.root)

    def up(self, *names: str, **scale: int) -> UpResult:
        return up(self.workspace, names, engine="docker", scale=scale, port=self.port)

    def ids(self, *services: str) -> dict[str, list[str]]:
        """Return the containers of services, or of all but migrations."""
        found: dict[str, list[str]] = {}
        form = '{{.Label "com.docker.compose.service"}} {{.ID}}'
        for line in docker("ps", "--format", form, "--filter", self._filter).splitlines():
            service, container = line.split()
            found.setdefault(service, []).append(container)
        return {name: sorted(found[name]) for name in sorted(services or found)}

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
            return json.load(answer)

    def left(self) -> str:
        """Return the containers, networks, volumes and images that this workspace has."""
        own = workspace_id(self.root)[:8]
        name, images = f"name={self.root.name}-{own}", f"reference=svcgen.local/{own}/*"
        return "".join(
            (
                docker("ps", "-aq", "--filter", self._filter),
                docker("network", "ls", "-q", "--filter", name),
                docker("volume", "ls", "-q", "--filter", name),
                docker("image", "ls", "-q", "--filter", images),
            )
        )

    @property
    def _filter(self) -> str:
        return f"label=com.docker.compose.project.working_dir={self.root}"


def new_workspace(root: Path) -> DockerWorkspace:
    root.mkdir(parents=True)
    state_folder(root)
    return DockerWorkspace(root, free_port())


def workspace(folder: Path) -> Iterator[DockerWorkspace]:
    """Yield a workspace below a folder for a fixture; after the test nothing of its fleet is left.

    Compose names its volumes by the workspace's folder, so that has a name of this run.
    """
    made = new_workspace(folder / f"shop-{os.getpid()}-{time.monotonic_ns() % 1_000_000}")
    yield made
    down(made.workspace, volumes=True)
    assert not made.left()


def tiny(root: Path, name: str, *, migrates: bool = False, calls: Sequence[str] = ()) -> Path:
    """Write a service whose image builds in a moment; every workspace has it under one name."""
    folder = root / name
    shutil.copytree(TINY, folder)
    (folder / "chart").mkdir()
    image = f"svcgen-tiny/{name}:${{VERSION:-dev}}"
    # The same files make the same image, also when BuildKit has lost its cache and builds again.
    built = {"context": ".", "args": {"SOURCE_DATE_EPOCH": "0"}}
    urls = {f"{called.upper()}_URL": f"http://{called}:8080" for called in calls}
    service = {
        "image": image,
        "build": built,
        "env_file": [{"path": ".env", "required": False}],  # as in the template
        "environment": {"NAME": name, "PORT": "8080", "DRAIN_SECONDS": "2", **urls},
        "networks": ["platform"],
        "restart": "unless-stopped",
    }
    services: dict[str, Any] = {name: service}
    if migrates:
        migration = {"image": image, "build": built, "command": ["migrate"]}
        services[f"{name}-migrate"] = {**migration, "environment": {"NAME": name}}
        after = {f"{name}-migrate": {"condition": "service_completed_successfully"}}
        service["depends_on"] = after
    route = {"path": f"/v1/{name}", "auth": "none"}
    for file, content in {
        ".copier-answers.yml": {"name": name, "stack": "python", "_commit": "v0.0.1"},
        "compose.yaml": {"services": services, "networks": {"platform": {}}},
        "openapi.json": {"paths": {f"/v1/{name}": {"get": {"operationId": "list"}}}},
        "chart/registration.yaml": {
            "apiVersion": "svcgen.dev/v1",
            "service": name,
            "calls": list(calls),
            "routes": {name: route},
        },
    }.items():
        (folder / file).write_text(json.dumps(content))
    (folder / ".env").write_text("COLOUR=blue\n")
    build(folder, "one")
    return folder


def build(folder: Path, text: str) -> None:
    """Change the image: `broken` does not start, `unmigratable` does not migrate."""
    (folder / "build.txt").write_text(text)


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout
