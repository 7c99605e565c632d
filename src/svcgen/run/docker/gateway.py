"""What the gateway in its container knows: the replicas it sends to, the files it uses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.gateway.admin import acknowledged, waiting
from svcgen.run.docker.containers import containers
from svcgen.run.docker.docker import docker
from svcgen.run.engine import GATEWAY

PATIENCE = 15.0  # seconds until a ready replica must have been seen: DNS (1 s), health check (1 s)
LOOK = 0.5
UNSEEN = 4.0  # seconds to wait when the gateway cannot be asked
# The admin listens inside the container only, and the image has bash but no HTTP client.
ASK = (
    "exec 3<>/dev/tcp/127.0.0.1/9901; "
    r'printf "GET %s HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n" "$0" >&3; cat <&3'
)
COUNTERS = r"/stats?format=json&filter=^(cluster_manager|listener_manager|http\.edge\.rds)\."


def wait_routable(root: Path, service: str, hosts: Collection[str]) -> None:
    """Wait until the gateway sends requests of a service to all of these addresses.

    Returns at once when it has no such cluster; without an answer of the gateway it waits long
    enough for its name look-up and health check.
    """
    gateway = _gateway(root)
    if gateway is None:
        return
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            healthy = _healthy(_ask(gateway, "/clusters?format=json"), service)
        except SvcgenError:
            time.sleep(UNSEEN)
            return
        if healthy is None or healthy >= set(hosts):
            return
        time.sleep(LOOK)
    raise SvcgenError(
        f"The gateway does not see the new replicas of {service}.", "`svcgen logs gateway`"
    )


def wait_applied(root: Path) -> Callable[[str], None]:
    """Return what waits until the running gateway uses a file that was renamed into place.

    Without a gateway there is nothing to wait for.
    """
    gateway = _gateway(root)
    if gateway is None:
        return waiting(0.0)
    try:
        return acknowledged(lambda: _counters(gateway))
    except SvcgenError:
        return waiting(UNSEEN)


def _gateway(root: Path) -> str | None:
    found = (one.id for one in containers(root) if one.service == GATEWAY and one.pid)
    return next(found, None)


def _counters(gateway: str) -> Mapping[str, int]:
    stats = _ask(gateway, COUNTERS)["stats"]
    return {stat["name"]: int(stat["value"]) for stat in stats if stat.get("value")}


def _healthy(told: Mapping[str, Any], service: str) -> set[str] | None:
    """Return the addresses of a cluster that pass every check; None when there is no cluster."""
    for cluster in told.get("cluster_statuses", ()):
        if cluster["name"] == service:
            hosts = cluster.get("host_statuses", ())
            return {_address(host) for host in hosts if _passes(host["health_status"])}
    return None


def _address(host: Mapping[str, Any]) -> str:
    return str(host["address"]["socket_address"]["address"])


def _passes(health: Mapping[str, Any]) -> bool:
    flags = {name for name, value in health.items() if value is True}
    return not flags and health.get("eds_health_status", "HEALTHY") == "HEALTHY"


def _ask(gateway: str, path: str) -> dict[str, Any]:
    """Read one JSON page of the admin; chunked or not, the document is from the first brace on."""
    answer = docker("exec", gateway, "bash", "-c", ASK, path)
    _head, _, body = answer.partition("\r\n\r\n")
    try:
        return dict(json.loads(_unchunked(body)))
    except ValueError as error:
        raise SvcgenError(f"The gateway's admin cannot be understood: {error}") from error


def _unchunked(body: str) -> str:
    """Put a chunked body together (RFC 9112, 7.1); the pages are plain ASCII."""
    if body.lstrip().startswith("{"):
        return body
    text = ""
    while body:
        size, _, rest = body.partition("\r\n")
        length = int(size, 16)
        text, body = text + rest[:length], rest[length + 2 :] if length else ""
    return text
