"""The compose.yaml of one service: what it brings into the common Compose project."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.yaml_files import read_yaml

NAMED = ("volumes", "networks", "configs", "secrets")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?[^}]*\}")


@dataclass(frozen=True)
class Port:
    """A port of this machine that a container publishes; the empty host means every address."""

    host: str
    number: int
    protocol: str

    def clashes(self, other: Port) -> bool:
        """Report whether both cannot be published at the same time."""
        everywhere = {"", "0.0.0.0", "::"}  # noqa: S104 (names what is compared, binds nothing)
        hosts = {self.host, other.host}
        same_host = len(hosts) == 1 or bool(hosts & everywhere)
        return (self.number, self.protocol) == (other.number, other.protocol) and same_host


@dataclass(frozen=True)
class ComposeFile:
    """Names and ports of one compose.yaml, and the environment of the service itself.

    `named` has, for each of NAMED, the real names of what is not external; `joined` the networks
    of the service itself; `built` the images that are built here, by the service that uses one.
    """

    services: tuple[str, ...]
    built: Mapping[str, str]
    named: Mapping[str, tuple[str, ...]]
    ports: tuple[Port, ...]
    environment: Mapping[str, str]
    joined: tuple[str, ...]


def read_compose_file(path: Path, name: str) -> ComposeFile:
    """Read the compose.yaml of the service `name`.

    Raises SvcgenError when the file is not YAML or defines no services.
    """
    content = read_yaml(path)
    services = _map(content, "services")
    if not services:
        raise SvcgenError(f"{path} defines no services.")
    named = {}
    for kind in NAMED:
        definitions = {key: _map(_map(content, kind), key) for key in _map(content, kind)}
        own = {key: each for key, each in definitions.items() if not each.get("external")}
        named[kind] = tuple(str(each.get("name") or key) for key, each in own.items())
    service = _map(services, name)
    return ComposeFile(
        services=tuple(services),
        built={
            key: str(each.get("image") or key)
            for key, each in services.items()
            if isinstance(each, dict) and "build" in each
        },
        named=named,
        ports=tuple(port for each in services.values() for port in _ports(each)),
        environment=_environment(service.get("environment")),
        joined=tuple(service.get("networks") or ()),
    )


def with_defaults(text: str) -> str:
    """Replace Compose's variables by their defaults: `${PORT:-8080}` becomes `8080`."""
    return _VARIABLE.sub(lambda found: found[2] or "", text)


def _map(content: object, key: str) -> dict[str, Any]:
    value = content.get(key) if isinstance(content, dict) else None
    return value if isinstance(value, dict) else {}


def _environment(content: object) -> dict[str, str]:
    if isinstance(content, dict):
        return {str(key): with_defaults(str(value)) for key, value in content.items()}
    entries = content if isinstance(content, list) else ()
    pairs = (str(entry).partition("=") for entry in entries)
    return {key: with_defaults(value) for key, _sign, value in pairs}


def _ports(service: object) -> Iterator[Port]:
    """Yield the fixed ports that a service publishes, from both notations.

    The short one is `[HOST:][PUBLISHED:]CONTAINER[/PROTOCOL]`.
    """
    entries = service.get("ports") if isinstance(service, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            host, published = str(entry.get("host_ip", "")), str(entry.get("published", ""))
            protocol = str(entry.get("protocol", "tcp"))
        else:
            address, _slash, protocol = with_defaults(str(entry)).partition("/")
            host, _colon, published = address.rpartition(":")[0].rpartition(":")
            host, protocol = host.strip("[]"), protocol or "tcp"
        first, _dash, last = with_defaults(published).partition("-")
        if first.isdigit() and (last or first).isdigit():
            for number in range(int(first), min(int(last or first), 65535) + 1):
                yield Port(host, number, protocol)
