"""The gateway in its container: the replicas that it sends requests to, the files that it uses."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from svcgen.errors import SvcgenError
from svcgen.gateway.admin import (
    CLUSTERS_PAGE,
    STATS_PAGE,
    acknowledged,
    parse_clusters,
    parse_stats,
    waiting,
)
from svcgen.gateway.admin import TIMEOUT as APPLIED
from svcgen.gateway.apply import ACCESS_FILE, RefusedFileError
from svcgen.run.docker.docker import docker

TIMEOUT = 15.0  # seconds until a ready replica gets requests: DNS (1 s), health check (1 s)
ISSUERS = 5.0
LOOK = 0.5
UNKNOWN = 4.0  # seconds to wait when the gateway cannot be asked
# The admin listens inside the container only, and the image has bash but no HTTP client.
ASK = (
    "exec 3<>/dev/tcp/127.0.0.1/9901; "
    r'printf "GET %s HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n" "$0" >&3; cat <&3'
)


def wait_routable(gateway: str, hosts: Mapping[str, Collection[str]]) -> None:
    """Wait until the gateway sends requests of each service to all addresses in `hosts`.

    `gateway` is the id of its container; without one there is nothing to wait for, and neither for
    a service without a cluster. When the gateway does not answer, this waits long enough for its
    name look-up and health check. Raises SvcgenError after TIMEOUT.
    """
    deadline = time.monotonic() + TIMEOUT
    missing = [service for service, addresses in hosts.items() if addresses]
    while gateway and missing:
        try:
            clusters = parse_clusters(ask(gateway, CLUSTERS_PAGE))
        except SvcgenError:
            time.sleep(UNKNOWN)
            return
        missing = [
            name
            for name in missing
            if name in clusters
            and not {host.address for host in clusters[name] if host.healthy} >= set(hosts[name])
        ]
        if missing and time.monotonic() > deadline:
            raise SvcgenError(
                f"The gateway sends no requests to the new replicas of {', '.join(missing)}.",
                "Read why: svcgen logs gateway",
            )
        if missing:
            time.sleep(LOOK)


def wait_issuers(gateway: str) -> Callable[[str], None]:
    """Return a function that waits until the gateway uses its file of issuers.

    A gateway that `docker compose up` started reads another one, so this waits no longer than
    ISSUERS. Raises RefusedFileError when Envoy refuses the file.
    """
    applied = _acknowledged(gateway, ISSUERS)

    def wait(name: str) -> None:
        try:
            applied(name)
        except RefusedFileError:
            raise
        except SvcgenError:
            return

    return wait


def can_read(gateway: str, folder: str) -> bool:
    """Report whether the gateway's container has a folder; a new mount needs a new container."""
    if not gateway:
        return True
    try:
        docker("exec", gateway, "test", "-d", folder)
    except SvcgenError:
        return False
    return True


def wait_applied(gateway: str) -> Callable[[str], None]:
    """Return a function that waits until the gateway uses a file, given the file's name.

    It does not wait for the file of issuers: the gateway of `svcgen up` reads that of `.svcgen/`.

    Call it before the first file is written. `gateway` is the id of the gateway's container;
    without one there is nothing to wait for.
    """
    applied = _acknowledged(gateway)
    return lambda name: None if name == ACCESS_FILE else applied(name)


def _acknowledged(gateway: str, timeout: float = APPLIED) -> Callable[[str], None]:
    if not gateway:
        return waiting(0.0)
    try:
        return acknowledged(lambda: parse_stats(ask(gateway, STATS_PAGE)), timeout)
    except SvcgenError:
        return waiting(UNKNOWN)


def ask(gateway: str, page: str) -> str:
    """Return the text of one page of Envoy's admin."""
    response = docker("exec", gateway, "bash", "-c", ASK, page)
    _head, _, body = response.partition("\r\n\r\n")
    try:
        return unchunked(body)
    except ValueError as error:
        raise SvcgenError(f"The gateway's admin page cannot be read: {error}") from error


def unchunked(body: str) -> str:
    """Join a chunked body (RFC 9112, section 7.1); the pages are ASCII."""
    if body.lstrip().startswith("{"):
        return body
    text = ""
    while body:
        size, _, rest = body.partition("\r\n")
        length = int(size, 16)
        text, body = text + rest[:length], rest[length + 2 :] if length else ""
    return text
