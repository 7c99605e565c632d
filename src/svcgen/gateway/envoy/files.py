"""The gateway as the files that Envoy reads: a table and its upstreams in, texts out.

The same input gives the same bytes. gateway.apply puts the texts where Envoy reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svcgen.gateway.apply import (
    ACCESS_FILE,
    BASIC_AUTH,
    JWT_FILTER,
    KEYS_FILE,
    LIMITS_FILE,
    RATE_LIMIT,
)
from svcgen.gateway.envoy import clusters, jwt, listeners, route_config
from svcgen.gateway.envoy.api_keys import keys_document
from svcgen.gateway.envoy.bootstrap import BOOTSTRAP, bootstrap
from svcgen.gateway.envoy.clusters import ClusterUpstream, endpoints_file, upstream_of
from svcgen.gateway.envoy.external import ExternalUpstream, external_cluster
from svcgen.gateway.envoy.rate_limits import limits_file
from svcgen.gateway.envoy.response_headers import response_headers
from svcgen.gateway.envoy.tls import SECRET_FILE, tls_chain
from svcgen.gateway.envoy.xds import Values, document, file_source, inlined, resources
from svcgen.gateway.issuers import Issuer
from svcgen.gateway.routes import Route, exposed
from svcgen.gateway_settings import GatewaySettings
from svcgen.ports import LOOPBACK

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
REDIRECT_PORT = 8002  # of the gateway's container; compose publishes it as gateway.http_port


@dataclass(frozen=True)
class ComposePlacement:
    """In a container: services are found by name, files are in `folder`, admin is on loopback.

    `absent_port` answers 503 for services that are not checked out; 0 without any. `secrets` is
    the folder of the certificate.
    """

    port: int = 8000
    folder: Path = Path("/etc/gateway")
    host: str = "0.0.0.0"  # noqa: S104 (of the container; compose publishes it on loopback only)
    admin_port: int = 9901
    absent_port: int = 0
    ca_file: str = jwt.CA_FILE
    redirect_port: int = REDIRECT_PORT
    secrets: Path = Path("/etc/gateway-tls")


@dataclass(frozen=True)
class LocalPlacement:
    """On this machine: replicas are listed in `folder`/eds/NAME.json, admin is a Unix socket.

    `internal` has the loopback port at which each called service is reached, also of those that
    have no upstream because they are not checked out. `secrets` is the folder of the certificate.
    """

    port: int
    folder: Path
    admin_socket: Path
    internal: Mapping[str, int] = field(default_factory=dict)
    host: str = "127.0.0.1"
    ca_file: str = jwt.CA_FILE
    secrets: Path = Path()


Placement = ComposePlacement | LocalPlacement


def edge_files(
    table: Sequence[Route],
    upstreams: Iterable[ClusterUpstream],
    placement: Placement,
    settings: GatewaySettings | None = None,
    issuers: Sequence[Issuer] = (),
) -> dict[str, str]:
    """Return the text of each of Envoy's files by its name.

    The gateway accepts tokens of `issuers`.
    With a LocalPlacement, the caller adds eds/NAME.json for each upstream (`endpoints_file`).
    """
    by_name = {upstream.service: upstream for upstream in upstreams}
    needed = {route.service for route in exposed(table)}
    settings = settings or GatewaySettings()
    if isinstance(placement, LocalPlacement):
        needed |= set(placement.internal) & by_name.keys()
        admin: Values = {"pipe": {"path": str(placement.admin_socket), "mode": 0o600}}
        services = [_local_cluster(by_name[name], placement) for name in sorted(needed)]
        internal = _internal_listeners(by_name, placement.internal, settings.max_body_bytes)
    else:
        admin = clusters.socket_address("127.0.0.1", placement.admin_port)
        services = [_named_cluster(by_name[name], placement) for name in sorted(needed)]
        host, port = placement.host, placement.absent_port
        internal = [listeners.absent_listener("absent", host, port)] if port else []
    services += jwt.keys_clusters(issuers, placement.ca_file)
    claims = {issuer.name: issuer.claims for issuer in issuers}
    routes = route_config.edge_routes(table, settings.max_body_bytes, claims)
    every = [_edge(placement, settings), *_redirects(placement, settings), *internal]
    return {
        BOOTSTRAP: document(bootstrap(placement.folder, {"address": admin})),
        "cds.json": resources("cluster.v3.Cluster", services),
        "lds.json": resources("listener.v3.Listener", every, LISTENER_DEPTH),
        "rds.json": resources(
            "route.v3.RouteConfiguration", [routes | response_headers(settings)], ROUTES_DEPTH
        ),
        ACCESS_FILE: jwt.jwt_file(issuers),
        LIMITS_FILE: limits_file(exposed(table)),
    }


def _edge(placement: Placement, settings: GatewaySettings) -> Values:
    """Return the listener for clients, with the files that it reads."""
    source = file_source(placement.folder / "rds.json")
    return listeners.edge_listener(
        placement.host,
        placement.port,
        {"rds": {"route_config_name": "edge", "config_source": source}},
        issuers=placement.folder / ACCESS_FILE,
        keys=placement.folder / KEYS_FILE,
        limits=placement.folder / LIMITS_FILE,
        settings=settings,
        tls=tls_chain(placement.secrets / SECRET_FILE) if settings.tls else None,
    )


def _internal_listeners(
    by_name: Mapping[str, ClusterUpstream], ports: Mapping[str, int], max_body: int
) -> list[Values]:
    """Return the loopback listener of each called service, also of one that is not checked out."""
    found = []
    for name, port in sorted(ports.items()):
        if name not in by_name:
            found.append(listeners.absent_listener(f"internal-{name}", LOOPBACK, port))
            continue
        timeout, retries = by_name[name].timeout_ms, RETRIES_BETWEEN_SERVICES
        routes = route_config.internal_routes(name, timeout, retries, max_body)
        found.append(listeners.internal_listener(name, port, routes))
    return found


def _redirects(placement: Placement, settings: GatewaySettings) -> list[Values]:
    """Return the listener that redirects to HTTPS, where svcgen.yaml wants one."""
    if not settings.http_port:
        return []
    if isinstance(placement, LocalPlacement):
        port, https_port = settings.http_port, placement.port
    else:
        port, https_port = placement.redirect_port, settings.port
    return [listeners.redirect_listener(placement.host, port, https_port)]


def _local_cluster(upstream: ClusterUpstream, placement: LocalPlacement) -> Values:
    if isinstance(upstream, ExternalUpstream):
        return external_cluster(upstream, ca_file=placement.ca_file, container=False)
    return clusters.listed_cluster(upstream, placement.folder / "eds")


def _named_cluster(upstream: ClusterUpstream, placement: ComposePlacement) -> Values:
    if isinstance(upstream, ExternalUpstream):
        return external_cluster(upstream, ca_file=placement.ca_file, container=True)
    return clusters.named_cluster(upstream)


def static_twin(files: Mapping[str, str], only: Sequence[str] | None = None) -> str:
    """Return the same gateway as one static file, for `envoy --mode validate`.

    Envoy accepts a bootstrap as valid without opening the files that it discovers at run time.
    `only` limits the file to what these services need.
    """
    routes = _resources(files["rds.json"])[0] | {"validate_clusters": True}
    services, every_listener = _resources(files["cds.json"]), _resources(files["lds.json"])
    if only is not None:
        # Also those of issuers, which belong to no service.
        services = [
            each
            for each in services
            if each["name"] in only or each["name"].startswith(jwt.KEYS_CLUSTER)
        ]
        for host in routes["virtual_hosts"]:
            host["routes"] = [
                route
                for route in host["routes"]
                if route.get("route", {}).get("cluster", only[0]) in only
            ]
        named = {"edge", "redirect", *(f"internal-{name}" for name in only)}
        every_listener = [each for each in every_listener if each["name"] in named]
    inline = {
        JWT_FILTER: inlined(JWT_FILTER, files[ACCESS_FILE]),
        BASIC_AUTH: inlined(BASIC_AUTH, keys_document([])) | {"disabled": True},
        RATE_LIMIT: inlined(RATE_LIMIT, files[LIMITS_FILE]),
    }
    chains = [chain for listener in every_listener for chain in listener["filter_chains"]]
    for chain in chains:
        # Its certificate is a file of the gateway, and svcgen has checked that.
        chain.pop("transport_socket", None)
        manager = chain["filters"][0]["typed_config"]
        if manager.pop("rds", None):
            manager["route_config"] = routes
        manager["http_filters"] = [
            inline.get(each["name"], each) for each in manager["http_filters"]
        ]
    for cluster in services:
        _without_system_cas(cluster)
        if cluster["type"] == "EDS":
            del cluster["eds_cluster_config"]
            cluster |= {"type": "STATIC", "load_assignment": {"cluster_name": cluster["name"]}}
    start = json.loads(files[BOOTSTRAP])
    del start["dynamic_resources"]
    start["static_resources"]["clusters"] += services
    start["static_resources"]["listeners"] = every_listener
    return document(start)


def _without_system_cas(cluster: Values) -> None:
    """Remove the verification with a file that only the gateway's own machine may have."""
    socket = cluster.get("transport_socket", {}).get("typed_config", {})
    common = socket.get("common_tls_context", {})
    if "filename" in common.get("validation_context", {}).get("trusted_ca", {}):
        del common["validation_context"]


def _resources(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["resources"]
    return [{key: value for key, value in item.items() if key != "@type"} for item in found]
