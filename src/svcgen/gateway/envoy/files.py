"""The gateway as a set of files that Envoy reads: a table and its upstreams in, texts out.

The same input gives the same bytes. gateway.apply puts the texts where Envoy reads them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svcgen.gateway.envoy import clusters, listeners, route_config
from svcgen.gateway.envoy.bootstrap import bootstrap
from svcgen.gateway.envoy.clusters import Upstream, endpoints_file, upstream_of
from svcgen.gateway.envoy.xds import Values, document, resources
from svcgen.gateway.routes import Route
from svcgen.settings import GatewaySettings

__all__ = [
    "ComposePlacement",
    "LocalPlacement",
    "Upstream",
    "edge_files",
    "endpoints_file",
    "static_twin",
    "upstream_of",
]

RETRIES_BETWEEN_SERVICES = 2


@dataclass(frozen=True)
class ComposePlacement:
    """In a container: services are found by name, files lie in `folder`, admin is on loopback."""

    port: int = 8000
    folder: Path = Path("/etc/gateway")
    host: str = "0.0.0.0"  # noqa: S104 (of the container; compose publishes it on loopback only)
    admin_port: int = 9901


@dataclass(frozen=True)
class LocalPlacement:
    """On this machine: replicas are listed in `folder`/eds/NAME.json, admin is a Unix socket.

    `internal` has the loopback port at which each called service is reached.
    """

    port: int
    folder: Path
    admin_socket: Path
    internal: Mapping[str, int] = field(default_factory=dict)
    host: str = "127.0.0.1"


Placement = ComposePlacement | LocalPlacement


def edge_files(
    table: Sequence[Route],
    upstreams: Iterable[Upstream],
    placement: Placement,
    settings: GatewaySettings | None = None,
) -> dict[str, str]:
    """Return the text of each file by its name: envoy.json, cds.json, lds.json and rds.json.

    With a LocalPlacement, the caller adds eds/NAME.json for each upstream (`endpoints_file`).
    """
    by_name = {upstream.service: upstream for upstream in upstreams}
    needed = {route.service for route in table} | set(_internal_ports(placement))
    edge = _edge(placement, settings or GatewaySettings())
    internal = _internal(placement, by_name)
    return {
        "envoy.json": document(bootstrap(placement.folder, _admin(placement))),
        "cds.json": resources("cluster.v3.Cluster", _clusters(placement, by_name, needed)),
        "lds.json": resources("listener.v3.Listener", [edge, *internal]),
        "rds.json": resources("route.v3.RouteConfiguration", [route_config.edge_routes(table)]),
    }


def static_twin(files: Mapping[str, str]) -> str:
    """Return the same gateway as one static file, for `envoy --mode validate`.

    Given files that are discovered at run time, Envoy calls a bootstrap valid without opening them.
    """
    routes = _resources(files["rds.json"])[0] | {"validate_clusters": True}
    every_listener = [_with_routes(listener, routes) for listener in _resources(files["lds.json"])]
    static = {
        "clusters": [_without_discovery(cluster) for cluster in _resources(files["cds.json"])],
        "listeners": every_listener,
    }
    start = json.loads(files["envoy.json"])
    del start["dynamic_resources"]
    return document({**start, "static_resources": static})


def _edge(placement: Placement, settings: GatewaySettings) -> Values:
    path = {"path": str(placement.folder / "rds.json")}
    source = {"path_config_source": path, "resource_api_version": "V3"}
    routes = {"rds": {"route_config_name": "edge", "config_source": source}}
    body = settings.max_body_bytes
    return listeners.edge_listener(placement.host, placement.port, body, routes)


def _internal(placement: Placement, upstreams: Mapping[str, Upstream]) -> list[Values]:
    return [
        listeners.internal_listener(
            name,
            port,
            route_config.internal_routes(
                name, upstreams[name].timeout_ms, RETRIES_BETWEEN_SERVICES
            ),
        )
        for name, port in sorted(_internal_ports(placement).items())
    ]


def _internal_ports(placement: Placement) -> Mapping[str, int]:
    return placement.internal if isinstance(placement, LocalPlacement) else {}


def _clusters(
    placement: Placement, upstreams: Mapping[str, Upstream], needed: Collection[str]
) -> list[Values]:
    """Return a cluster for each service that is reached: one without routes need not be asked."""
    ordered = [upstreams[name] for name in sorted(needed)]
    if isinstance(placement, ComposePlacement):
        return [clusters.named_cluster(upstream) for upstream in ordered]
    return [clusters.listed_cluster(upstream, placement.folder / "eds") for upstream in ordered]


def _admin(placement: Placement) -> Values:
    if isinstance(placement, ComposePlacement):
        return {"address": clusters.socket_address("127.0.0.1", placement.admin_port)}
    return {"address": {"pipe": {"path": str(placement.admin_socket), "mode": 0o600}}}


def _resources(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["resources"]
    return [{key: value for key, value in item.items() if key != "@type"} for item in found]


def _with_routes(listener: dict[str, Any], routes: Mapping[str, object]) -> dict[str, Any]:
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    if manager.pop("rds", None):
        manager["route_config"] = routes
    return listener


def _without_discovery(cluster: dict[str, Any]) -> dict[str, Any]:
    if cluster["type"] == "EDS":
        del cluster["eds_cluster_config"]
        cluster |= {"type": "STATIC", "load_assignment": {"cluster_name": cluster["name"]}}
    return cluster
