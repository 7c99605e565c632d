"""The variables of a service in Docker, with addresses that this machine reaches."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from svcgen.errors import SvcgenError
from svcgen.ports import LOOPBACK, next_free_port
from svcgen.run.docker.containers import Observed
from svcgen.run.docker.docker import Compose
from svcgen.run.engine import SERVICE_PORT, GivenVariables
from svcgen.service import COMPOSE_FILE

CONNECT_SECONDS = 2.0


def host_variables(compose: Compose, seen: Observed, name: str) -> GivenVariables:
    """Return the variables of a service in compose.yaml for a process of this machine.

    A URL names another service of the project by a name that only containers know. It gets the
    address of a container of that service. Raises SvcgenError without a compose.yaml.
    """
    if not (compose.root / COMPOSE_FILE).is_file():
        problem = f"{compose.root / COMPOSE_FILE} does not exist."
        raise SvcgenError(problem, "Write it: svcgen compose")
    services = json.loads(compose.run("config", "--format", "json"))["services"]
    if name not in services:
        raise SvcgenError(f"{COMPOSE_FILE} has no service '{name}'.", "Write it: svcgen compose")
    found, missing = {}, {}
    for key, value in (services[name].get("environment") or {}).items():
        if value is None:  # from the shell, which does not have it
            continue
        text = value.replace("$$", "$")  # as `config` prints a `$`
        try:
            found[key] = _reachable(text, services, seen)
        except SvcgenError as error:
            missing[key] = error.sentence
    own = {"HOST": LOOPBACK, "PORT": str(next_free_port(SERVICE_PORT - 1))}
    return GivenVariables({**found, **own}, missing)


def _reachable(value: str, services: Mapping[str, object], seen: Observed) -> str:
    """Return a URL with an address instead of the name of a service; any other value as it is."""
    try:
        url = urlsplit(value)
        host, port = url.hostname, url.port
    except ValueError:
        return value
    if not host or host not in services or not port:
        return value
    running = [container for container in seen.of(host) if container.runs and container.host]
    if not running:
        raise SvcgenError(f"{host} does not run.", "Start the fleet: svcgen up")
    address = running[0].host
    if not _answers(address, port):
        raise SvcgenError(
            f"this machine does not reach {address}:{port} of {host}, as with Docker Desktop.",
            "Publish the port in compose.override.yaml.",
        )
    user = f"{url.netloc.rpartition('@')[0]}@" if "@" in url.netloc else ""
    return url._replace(netloc=f"{user}{address}:{port}").geturl()


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), CONNECT_SECONDS):
            return True
    except OSError:
        return False
