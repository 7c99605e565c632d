"""Envoy's admin: requests to its socket, and one reader of its pages."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from svcgen.errors import SvcgenError
from svcgen.gateway.apply import (
    ACCESS_FILE,
    BASIC_AUTH,
    JWT_FILTER,
    KEYS_FILE,
    LIMITS_FILE,
    RATE_LIMIT,
    RefusedFileError,
)
from svcgen.gateway.envoy.route_stats import PREFIX
from svcgen.gateway.envoy.tls import SECRET_FILE

TIMEOUT = 15.0  # seconds; Envoy uses a new cluster after the first health checks
PAUSE = 0.02
DRAIN_SECONDS = 10.0
LOOK_SECONDS = 0.1

# The pages that `parse_clusters` and `parse_stats` read.
CLUSTERS_PAGE = "/clusters?format=json"
READY_PAGE = "/ready"  # 200 once all files of the start are applied, 503 while Envoy drains
_READ = ("cluster_manager", "listener_manager", r"http\.edge\.rds", "extension_config_discovery")
STATS_PAGE = rf"/stats?format=json&filter=^({'|'.join(_READ)}|sds\.edge)\."

# The pages that `parse_route_stats` and `parse_edge_routes` read.
_ROUTE_FILES = "http.edge.rds.edge.update_success"
ROUTE_STATS_PAGE = (
    "/stats?format=json&histogram_buckets=detailed"
    f"&filter=^({PREFIX}\\..*|{re.escape(_ROUTE_FILES)})$"
)
EDGE_ROUTES_PAGE = "/config_dump?resource=dynamic_route_configs"

Stats = Callable[[], Mapping[str, int]]

_DISCOVERED = "extension_config_discovery.http_filter"
# The counters of updates that Envoy applied, by file.
APPLIED = {
    KEYS_FILE: f"{_DISCOVERED}.{BASIC_AUTH}.update_success",
    ACCESS_FILE: f"{_DISCOVERED}.{JWT_FILTER}.update_success",
    "cds.json": "cluster_manager.cds.update_success",
    "lds.json": "listener_manager.lds.update_success",
    "rds.json": _ROUTE_FILES,
    LIMITS_FILE: f"{_DISCOVERED}.{RATE_LIMIT}.update_success",
    SECRET_FILE: "sds.edge.update_success",
}
# An Envoy that an older svcgen started, or a listener without TLS, does not read these.
_MAY_BE_UNREAD = frozenset({ACCESS_FILE, KEYS_FILE, LIMITS_FILE, SECRET_FILE})
WARMING = {
    "cds.json": "cluster_manager.warming_clusters",
    "lds.json": "listener_manager.total_listeners_warming",
}


class ClusterHost(NamedTuple):
    """One host of a cluster; Envoy sends requests to it when it is healthy."""

    address: str
    port: int
    healthy: bool


def parse_clusters(text: str) -> dict[str, tuple[ClusterHost, ...]]:
    """Return the hosts of each cluster by its name, from the text of CLUSTERS_PAGE.

    A host is healthy when no check failed: no flag of its `health_status` is true, and its
    `eds_health_status` is HEALTHY or absent. Raises SvcgenError for text of another format.
    """
    try:
        return {
            cluster["name"]: tuple(map(_cluster_host, cluster.get("host_statuses", ())))
            for cluster in json.loads(text).get("cluster_statuses", ())
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SvcgenError(f"The gateway's /clusters page cannot be read: {error!r}.") from error


def parse_stats(text: str) -> dict[str, int]:
    """Return counters and gauges by name, from the text of a /stats page in JSON.

    Histograms and text values are left out. Raises SvcgenError for text of another format.
    """
    try:
        stats = json.loads(text)["stats"]
        return {stat["name"]: stat["value"] for stat in stats if type(stat.get("value")) is int}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SvcgenError(f"The gateway's /stats page cannot be read: {error!r}.") from error


class Outcome(NamedTuple):
    """How a request ended: its status code, and whether it was sent to a replica."""

    code: int
    sent: bool


class Bucket(NamedTuple):
    """A range of times in milliseconds."""

    lower: float
    width: float


class RouteStats(NamedTuple):
    """What Envoy counted by the name of the route, since its start.

    A request without a route has an empty name. `times` lags by up to MERGE_INTERVAL. `files`
    counts the files of routes that Envoy applied.
    """

    requests: Mapping[str, Counter[Outcome]]
    times: Mapping[str, Counter[Bucket]]
    files: int = 0


_REQUESTS = re.compile(rf"{PREFIX}\.requests\.route\.(.*)\.attempts\.(.*)\.code\.(.*)")
_TIME = f"{PREFIX}.time.route."


def parse_route_stats(text: str) -> RouteStats:
    """Return the counters and times of the routes, from the text of ROUTE_STATS_PAGE.

    Raises SvcgenError for text of another format.
    """
    requests: dict[str, Counter[Outcome]] = {}
    times: dict[str, Counter[Bucket]] = {}
    files = 0
    try:
        for stat in json.loads(text)["stats"]:
            if stat.get("name") == _ROUTE_FILES:
                files = stat["value"]
            if match := _REQUESTS.fullmatch(stat.get("name", "")):
                route, attempts, code = match.groups()
                # A client that leaves early has no code.
                outcome = Outcome(int(code) if code.isdecimal() else 0, attempts not in {"0", "-"})
                requests.setdefault(route, Counter())[outcome] += stat["value"]
            for each in stat.get("histograms", {}).get("details", ()):
                times[each["name"].removeprefix(_TIME)] = Counter(
                    {
                        Bucket(one["lower_bound"], one["width"]): one["count"]
                        for one in each["totals"]
                    }
                )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SvcgenError(f"The gateway's /stats page cannot be read: {error!r}.") from error
    return RouteStats(requests, times, files)


def parse_edge_routes(text: str) -> dict[str, str]:
    """Return the service of each route that clients reach, in order, from EDGE_ROUTES_PAGE.

    Raises SvcgenError for text of another format.
    """
    try:
        return {
            route["name"]: route["route"]["cluster"]
            for configuration in json.loads(text).get("configs", ())
            for host in configuration["route_config"].get("virtual_hosts", ())
            for route in host.get("routes", ())
            if "route" in route
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SvcgenError(f"The gateway's routes cannot be read: {error!r}.") from error


def _cluster_host(host: Mapping[str, Any]) -> ClusterHost:
    socket_address, health = host["address"]["socket_address"], host["health_status"]
    flagged = any(flag is True for flag in health.values())
    # Envoy leaves out an unknown status, and treats it as healthy.
    healthy = not flagged and health.get("eds_health_status", "HEALTHY") == "HEALTHY"
    return ClusterHost(socket_address["address"], socket_address["port_value"], healthy)


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("gateway", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(admin_socket: Path, path: str, method: str = "GET", timeout: float = 5.0) -> str:
    """Send one request to Envoy's admin and return the text of the response.

    Raises SvcgenError without a response, or for one that is not 200.
    """
    connection = _SocketConnection(admin_socket, timeout)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise SvcgenError(f"The gateway does not answer at {admin_socket}: {error}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise SvcgenError(f"The gateway answers {path} with {answer.status}: {text.strip()}")
    return text


def read_stats(admin_socket: Path) -> dict[str, int]:
    """Return the counters of Envoy's file updates."""
    return parse_stats(ask(admin_socket, STATS_PAGE))


def begin_drain(admin_socket: Path) -> None:
    """Make /readyz fail and ask clients to disconnect, while Envoy still answers requests."""
    ask(admin_socket, "/healthcheck/fail", "POST")
    ask(admin_socket, "/drain_listeners?graceful&skip_exit", "POST")


def active_requests(admin_socket: Path) -> int:
    """Return the number of requests in flight at the edge listener."""
    name = "http.edge.downstream_rq_active"
    page = f"/stats?format=json&filter=^{name}$".replace(".", r"\.")
    return parse_stats(ask(admin_socket, page)).get(name, 0)


def drain(admin_socket: Path) -> None:
    """Finish the requests in progress, as long as DRAIN_SECONDS; new ones are still accepted.

    Raises SvcgenError when Envoy does not answer.
    """
    begin_drain(admin_socket)
    deadline = time.monotonic() + DRAIN_SECONDS
    while active_requests(admin_socket) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)


def acknowledged(stats: Stats, timeout: float = TIMEOUT) -> Callable[[str], None]:
    """Return a `WaitApplied` that waits until Envoy's counters show that it uses the file.

    Call this before the first file is written. The returned function raises SvcgenError when Envoy
    refuses a file (RefusedFileError) or does not apply it within `timeout` seconds.
    """
    before = dict(stats())

    def wait_applied(name: str) -> None:
        applied, warming = APPLIED[name], WARMING.get(name, "")
        if name in _MAY_BE_UNREAD and applied not in before:
            return
        refused = [applied.replace("success", "rejected"), applied.replace("success", "failure")]
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            now = stats()
            if any(now.get(counter, 0) > before.get(counter, 0) for counter in refused):
                raise RefusedFileError(
                    f"The gateway refuses {name}, and keeps the one before.",
                    "Read why: svcgen logs gateway",
                )
            if now.get(applied, 0) > before.get(applied, 0) and not now.get(warming, 0):
                before.update(now)
                return
            time.sleep(PAUSE)
        raise SvcgenError(f"The gateway did not apply {name} within {timeout:.0f} s.")

    return wait_applied


def waiting(pause: float) -> Callable[[str], None]:
    """Return a `WaitApplied` that waits `pause` seconds, for an Envoy without a reachable admin."""
    return lambda _name: time.sleep(pause)
