"""What one service's compose.yaml brings into the common project."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.yaml_files import read_yaml

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?[^}]*\}")


NAMED = ("volumes", "networks", "configs", "secrets")


@dataclass(frozen=True)
class Port:
    """A port of this machine that a container takes; the empty host means every address."""

    host: str
    number: int
    protocol: str

    def clashes(self, other: Port) -> bool:
        """Tell whether both cannot be taken at the same time."""
        everywhere = {"", "0.0.0.0", "::"}  # noqa: S104 (names what is compared, binds nothing)
        hosts = {self.host, other.host}
        same_host = len(hosts) == 1 or bool(hosts & everywhere)
        return (self.number, self.protocol) == (other.number, other.protocol) and same_host


@dataclass(frozen=True)
class Stack:
    """Names and ports of one compose.yaml, and the environment of the service itself.

    `named` has, for each of NAMED, the real names of what is not external; `joined` the networks
    of the service itself.
    """

    services: tuple[str, ...]
    named: Mapping[str, tuple[str, ...]]
    ports: tuple[Port, ...]
    environment: Mapping[str, str]
    joined: tuple[str, ...]


def read_stack(path: Path, name: str) -> Stack:
    """Read the compose.yaml of the service `name`; SvcgenError when it is not one."""
    written = read_yaml(path)
    services = _map(written, "services")
    if not services:
        raise SvcgenError(f"{path} defines no services.")
    own = services.get(name)
    own = own if isinstance(own, dict) else {}
    return Stack(
        services=tuple(services),
        named={kind: tuple(_names(_map(written, kind))) for kind in NAMED},
        ports=tuple(port for each in services.values() for port in _ports(each)),
        environment=_environment(own.get("environment")),
        joined=tuple(own.get("networks") or ()),
    )


def with_defaults(text: str) -> str:
    """Put in the defaults of Compose's variables: `${PORT:-8080}` becomes `8080`."""
    return _VARIABLE.sub(lambda found: found[2] or "", text)


def _map(written: object, key: str) -> dict[str, Any]:
    value = written.get(key) if isinstance(written, dict) else None
    return value if isinstance(value, dict) else {}


def _names(definitions: Mapping[str, Any]) -> Iterator[str]:
    for key, value in definitions.items():
        definition = value if isinstance(value, dict) else {}
        if not definition.get("external"):
            yield str(definition.get("name") or key)


def _environment(written: object) -> dict[str, str]:
    if isinstance(written, dict):
        return {str(key): with_defaults(str(value)) for key, value in written.items()}
    entries = written if isinstance(written, list) else ()
    pairs = (str(entry).partition("=") for entry in entries)
    return {key: with_defaults(value) for key, _sign, value in pairs}


def _ports(service: object) -> Iterator[Port]:
    written = service.get("ports") if isinstance(service, dict) else None
    for entry in written if isinstance(written, list) else ():
        if isinstance(entry, dict):
            host, published = str(entry.get("host_ip", "")), str(entry.get("published", ""))
            yield from _range(host, published, str(entry.get("protocol", "tcp")))
        else:
            yield from _short(with_defaults(str(entry)))


def _short(text: str) -> Iterator[Port]:
    """Read `[HOST:][PUBLISHED:]CONTAINER[/PROTOCOL]`; one that publishes no fixed port has none."""
    address, _slash, protocol = text.partition("/")
    host_and_port, colon, _container = address.rpartition(":")
    host, _colon, published = host_and_port.rpartition(":")
    if colon:
        yield from _range(host.strip("[]"), published, protocol or "tcp")


def _range(host: str, published: str, protocol: str) -> Iterator[Port]:
    first, _dash, last = with_defaults(published).partition("-")
    if first.isdigit() and (last or first).isdigit():
        for number in range(int(first), min(int(last or first), 65535) + 1):
            yield Port(host, number, protocol)
