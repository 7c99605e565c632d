"""What compose.yaml wants, and what of it differs from what runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from svcgen.run.docker.containers import MIGRATE, Container
from svcgen.run.docker.docker import Compose, docker


@dataclass(frozen=True)
class Definition:
    """One service of compose.yaml: its image and Compose's digest of how it is to run."""

    name: str
    image: str
    digest: str
    built: bool


@dataclass(frozen=True)
class ComposePlan:
    """The services of compose.yaml, and the digests of the images that are there."""

    definitions: Mapping[str, Definition]
    images: Mapping[str, str]

    def stale(self, container: Container) -> bool:
        """Whether a container was made from another image or definition than the present one."""
        wanted = self.definitions[container.service]
        image = self.images.get(wanted.image, container.image)
        return (container.definition, container.image) != (wanted.digest, image)

    def migration(self, name: str) -> str | None:
        """Return the service that migrates the database of this one, if there is one."""
        migration = name + MIGRATE
        return migration if migration in self.definitions else None


def read_plan(compose: Compose) -> ComposePlan:
    """Ask Compose what is wanted; SvcgenError when it cannot read the files."""
    told = json.loads(compose.run("config", "--format", "json"))
    digests = dict(line.split() for line in compose.run("config", "--hash", "*").splitlines())
    services: Mapping[str, Any] = told["services"]
    found = {
        name: Definition(name, str(one.get("image", "")), digests.get(name, ""), "build" in one)
        for name, one in services.items()
    }
    return ComposePlan(found, images(sorted({one.image for one in found.values()} - {""})))


def images(names: Sequence[str]) -> dict[str, str]:
    """Return the digests of those images that are on this machine."""
    found: dict[str, str] = {}
    for name in names:
        digest = docker("image", "inspect", "--format", "{{.Id}}", name, tolerate=True).strip()
        if digest:
            found[name] = digest
    return found
