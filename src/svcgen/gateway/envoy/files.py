"""The gateway as the files that Envoy reads: a table and its upstreams in, texts out.

The same input gives the same bytes. gateway.apply puts the texts where Envoy reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svcgen.gateway.apply import ACCESS_FILE, BASIC_AUTH, KEYS_FILE
from svcgen.gateway.envoy import clusters, jwt, listeners, route_config
from svcgen.gateway.envoy.api_keys import basic_auth
from svcgen.gateway.envoy.bootstrap import BOOTSTRAP, bootstrap
from svcgen.gateway.envoy.clusters import ClusterUpstream, endpoints_file, upstream_of
from svcgen.gateway.envoy.xds import Values, document, resources
from svcgen.gateway.issuers import Issuer
from svcgen.gateway.routes import Route, exposed
from svcgen.ports import LOOPBACK
from svcgen.settings import GatewaySettings

__all__ = [
    "ClusterUpstream",
    "ComposePlacement",
    "LocalPlacement",
    "edge_files",
    "endpoints_file",
    "static_twin",
    "upstream_of",
]

# Down to the keys of the connection manager, and of each route.
LISTENER_DEPTH = 6
ROUTES_DEPTH = 5
RETRIES_BETWEEN_SERVICES = 2


@dataclass(frozen=True)
class ComposePlacement:
    """In a container: services are found by name, files are in `folder`, admin is on loopback.

    `absent_port` answers 503 for services that are not checked out; 0 without any.
    """

    port: int = 8000
    folder: Path = Path("/etc/gateway")
    host: str = "0.0.0.0"  # noqa: S104 (of the container; compose publishes it on loopback only)
    admin_port: int = 9901
    absent_port: int = 0
    ca_file: str = jwt.CA_FILE


@dataclass(frozen=True)
class LocalPlacement:
    """On this machine: replicas are listed in `folder`/eds/NAME.json, admin is a Unix socket.

    `internal` has the loopback port at which each called service is reached, also of those that
    have no upstream because they are not checked out.
    """

    port: int
    folder: Path
    admin_socket: Path
    internal: Mapping[str, int] = field(default_factory=dict)
    host: str = "127.0.0.1"
    ca_file: str = jwt.CA_FILE


Placement = ComposePlacement | LocalPlacement


def edge_files(
    table: Sequence[Route],
    upstreams: Iterable[ClusterUpstream],
    placement: Placement,
    settings: GatewaySettings | None = None,
    issuers: Sequence[Issuer] = (),
) -> dict[str, str]:
    """Return the text of each file by its name: envoy.json, cds, lds, rds and access/jwt.json.

    The gateway accepts tokens of `issuers`.
    With a LocalPlacement, the caller adds eds/NAME.json for each upstream (`endpoints_file`).
    """
    by_name = {upstream.service: upstream for upstream in upstreams}
    needed = {route.service for route in exposed(table)}
    internal: list[Values] = []
    limits = settings or GatewaySettings()
    if isinstance(placement, LocalPlacement):
        needed |= set(placement.internal) & by_name.keys()
        admin: Values = {"pipe": {"path": str(placement.admin_socket), "mode": 0o600}}
        services = [
            clusters.listed_cluster(by_name[name], placement.folder / "eds")
            for name in sorted(needed)
        ]
        for name, port in sorted(placement.internal.items()):
            if name not in by_name:
                listener = listeners.absent_listener(f"internal-{name}", LOOPBACK, port)
                internal.append(listener)
                continue
            timeout, retries = by_name[name].timeout_ms, RETRIES_BETWEEN_SERVICES
            routes = route_config.internal_routes(name, timeout, retries, limits.max_body_bytes)
            internal.append(listeners.internal_listener(name, port, routes))
    else:
        admin = clusters.socket_address("127.0.0.1", placement.admin_port)
        services = [clusters.named_cluster(by_name[name]) for name in sorted(needed)]
        if placement.absent_port:
            host, port = placement.host, placement.absent_port
            internal.append(listeners.absent_listener("absent", host, port))
    edge = listeners.edge_listener(
        placement.host,
        placement.port,
        {
            "rds": {
                "route_config_name": "edge",
                "config_source": {
                    "path_config_source": {"path": str(placement.folder / "rds.json")},
                    "resource_api_version": "V3",
                },
            }
        },
        issuers=placement.folder / ACCESS_FILE,
        keys=placement.folder / KEYS_FILE,
    )
    services += jwt.keys_clusters(issuers, placement.ca_file)
    claims = {issuer.name: issuer.claims for issuer in issuers}
    return {
        BOOTSTRAP: document(bootstrap(placement.folder, {"address": admin})),
        "cds.json": resources("cluster.v3.Cluster", services),
        "lds.json": resources("listener.v3.Listener", [edge, *internal], LISTENER_DEPTH),
        "rds.json": resources(
            "route.v3.RouteConfiguration",
            [route_config.edge_routes(table, claims)],
            ROUTES_DEPTH,
        ),
        ACCESS_FILE: jwt.jwt_file(issuers),
    }


def static_twin(files: Mapping[str, str], only: Sequence[str] | None = None) -> str:
    """Return the same gateway as one static file, for `envoy --mode validate`.

    Envoy accepts a bootstrap as valid without opening the files that it discovers at run time.
    `only` limits the file to what these services need.
    """
    routes = _resources(files["rds.json"])[0] | {"validate_clusters": True}
    services, every_listener = _resources(files["cds.json"]), _resources(files["lds.json"])
    if only is not None:
        # Also those of issuers, which belong to no service.
        services = [each for each in services if each["name"] in only or "#" in each["name"]]
        for host in routes["virtual_hosts"]:
            host["routes"] = [
                route
                for route in host["routes"]
                if route.get("route", {}).get("cluster", only[0]) in only
            ]
        named = {"edge", *(f"internal-{name}" for name in only)}
        every_listener = [each for each in every_listener if each["name"] in named]
    inline = {
        jwt.JWT: jwt.inline_filter(files[ACCESS_FILE]),
        BASIC_AUTH: {"name": BASIC_AUTH, "disabled": True, "typed_config": basic_auth([])},
    }
    for listener in every_listener:
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        if manager.pop("rds", None):
            manager["route_config"] = routes
        manager["http_filters"] = [
            inline.get(each["name"], each) for each in manager["http_filters"]
        ]
    for cluster in services:
        if "#" in cluster["name"]:
            cluster.pop("transport_socket", None)  # it names a file of the gateway's image
        if cluster["type"] == "EDS":
            del cluster["eds_cluster_config"]
            cluster |= {"type": "STATIC", "load_assignment": {"cluster_name": cluster["name"]}}
    start = json.loads(files[BOOTSTRAP])
    del start["dynamic_resources"]
    start["static_resources"]["clusters"] += services
    start["static_resources"]["listeners"] = every_listener
    return document(start)


def _resources(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["resources"]
    return [{key: value for key, value in item.items() if key != "@type"} for item in found]
