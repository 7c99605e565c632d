"""What compose.yaml defines, and what of it differs from what runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.run.docker.containers import MIGRATE, Container
from svcgen.run.docker.docker import Compose, docker


@dataclass(frozen=True)
class Definition:
    """One service of compose.yaml: its image and Compose's digest of its configuration.

    `needs` are the services in its `depends_on`.
    """

    name: str
    image: str
    digest: str
    built: bool
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class ComposePlan:
    """The services of compose.yaml, and the digests of the images that exist."""

    definitions: Mapping[str, Definition]
    images: Mapping[str, str]

    def stale(self, container: Container) -> bool:
        """Whether a container was made from another image or definition than the present one."""
        definition = self.definitions[container.service]
        image = self.images.get(definition.image, container.image)
        return (container.definition, container.image) != (definition.digest, image)

    def migration(self, name: str) -> str | None:
        """Return the service that migrates the database of this one; None without one."""
        migration = name + MIGRATE
        return migration if migration in self.definitions else None


def with_needs(definitions: Mapping[str, Definition], names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the names that are defined, and all that they depend on."""
    found = [name for name in names if name in definitions]
    for name in found:  # grows meanwhile
        needs = definitions[name].needs
        found += [need for need in needs if need in definitions and need not in found]
    return tuple(found)


def read_definitions(compose: Compose) -> dict[str, Definition]:
    """Read the services of compose.yaml as Compose does; SvcgenError when Compose cannot."""
    text = compose.run("config", "--format", "json")
    config = json.loads(text)
    # Of the model, in which the variables of `env_file` are set: `up` writes the digest of that one
    # to a container, and `config --hash` of the files would give another one.
    hashes = compose.run("config", "--hash", "*", model=text)
    digests = dict(line.split() for line in hashes.splitlines())
    services: Mapping[str, Any] = config["services"]
    return {
        name: Definition(
            name,
            str(service.get("image") or f"{compose.project}-{name}"),
            digests.get(name, ""),
            "build" in service,
            tuple(service.get("depends_on") or ()),
        )
        for name, service in services.items()
    }


def read_plan(definitions: Mapping[str, Definition]) -> ComposePlan:
    """Return the plan of services whose images are built, with the images that exist now."""
    images = sorted({definition.image for definition in definitions.values()})
    return ComposePlan(definitions, _image_digests(images))


def _image_digests(names: Sequence[str]) -> dict[str, str]:
    """Return the digests of those images that are on this machine."""
    inspect = ("image", "inspect", "--format", "{{.Id}}")
    try:
        return dict(zip(names, docker(*inspect, *names).split(), strict=True)) if names else {}
    except SvcgenError:  # one does not exist, and the output does not name those that do
        digests = {name: docker(*inspect, name, tolerate=True).strip() for name in names}
        return {name: digest for name, digest in digests.items() if digest}
