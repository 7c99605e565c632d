"""One cluster for each service, named after it: a renamed cluster would drop requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from svcgen.addresses import literal_address
from svcgen.gateway.envoy.xds import Values, extension, resources, seconds
from svcgen.units import parse_duration

if TYPE_CHECKING:  # the local engine's supervisor writes endpoints and reads no registration
    from svcgen.gateway.registration import Registration

BUFFER_BYTES = 32_768


@dataclass(frozen=True)
class ClusterUpstream:
    """How the gateway reaches one service; times in milliseconds."""

    service: str
    port: int = 8080
    health_path: str = "/readyz"
    health_interval_ms: int = 1_000
    timeout_ms: int = 10_000


def upstream_of(registration: Registration, default_timeout_ms: int) -> ClusterUpstream:
    """Return the upstream that a registration describes."""
    settings = registration.upstream
    return ClusterUpstream(
        service=registration.service,
        port=settings.port,
        health_path=settings.health.http or "/readyz",
        health_interval_ms=parse_duration(settings.health.interval),
        timeout_ms=longest_timeout(registration, default_timeout_ms),
    )


def longest_timeout(registration: Registration, default_ms: int) -> int:
    """Return the longest timeout of the routes, in milliseconds; the default without routes."""
    timeouts = [
        parse_duration(entry.timeout) if entry.timeout else default_ms
        for entry in registration.routes.values()
    ]
    return max(timeouts, default=default_ms)


def named_cluster(upstream: ClusterUpstream) -> Values:
    """Return a cluster that finds its replicas by DNS, as Docker's networks answer it."""
    return {
        **cluster(upstream),
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "dns_refresh_rate": "1s",
        "dns_failure_refresh_rate": {"base_interval": "0.500s", "max_interval": "2s"},
        "load_assignment": assignment(upstream.service, [(upstream.service, upstream.port)]),
    }


def listed_cluster(upstream: ClusterUpstream, folder: Path) -> Values:
    """Return a cluster that reads its replicas from FOLDER/NAME.json."""
    source = {"path_config_source": {"path": str(folder / f"{upstream.service}.json")}}
    config = {"eds_config": {**source, "resource_api_version": "V3"}}
    return {**cluster(upstream), "type": "EDS", "eds_cluster_config": config}


def endpoints_file(service: str, addresses: Sequence[tuple[str, int]]) -> str:
    """Return the text of the file of replicas that a listed cluster reads; they may be none."""
    return resources("endpoint.v3.ClusterLoadAssignment", [assignment(service, addresses)])


def assignment(service: str, addresses: Sequence[tuple[str, int]]) -> Values:
    """Return the endpoints of a cluster."""
    endpoints = [{"endpoint": {"address": socket_address(*address)}} for address in addresses]
    return {"cluster_name": service, "endpoints": [{"lb_endpoints": endpoints}]}


def tls_upstream(name: str, trusted_ca: Values | None) -> Values:
    """Return the transport socket of TLS to a server whose certificate has this name or address.

    Without `trusted_ca` any certificate is accepted. Envoy's own limit for clients is TLS 1.2.
    """
    address = literal_address(name)
    common: Values = {
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_2",
            "tls_maximum_protocol_version": "TLSv1_3",
        }
    }
    if trusted_ca:
        kind = "IP_ADDRESS" if address else "DNS"
        exact = {"san_type": kind, "matcher": {"exact": str(address or name)}}
        common["validation_context"] = {
            "trusted_ca": trusted_ca,
            "match_typed_subject_alt_names": [exact],
        }
    socket = extension(
        "envoy.transport_sockets.tls",
        "transport_sockets.tls.v3.UpstreamTlsContext",
        **({} if address else {"sni": name}),  # RFC 6066, section 3: names only
        common_tls_context=common,
    )
    return {"transport_socket": socket}


def socket_address(host: str, port: int) -> Values:
    """Return an address as Envoy writes it."""
    return {"socket_address": {"address": host, "port_value": port}}


def cluster(upstream: ClusterUpstream) -> Values:
    """Return what the clusters of all upstreams have, without their addresses."""
    interval = seconds(upstream.health_interval_ms)
    return {
        "name": upstream.service,
        # A server whose queue of new connections is full answers the second SYN, after 1 s.
        "connect_timeout": "2s",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "health_checks": [
            {
                "timeout": "2s",
                "interval": interval,
                "no_traffic_interval": interval,
                "no_traffic_healthy_interval": interval,
                # A response other than 200 counts at once, none only after three times: with a
                # threshold of 0 % below, a busy machine would lose all replicas together. Refused
                # connections reveal a dead replica.
                "unhealthy_threshold": 3,
                "healthy_threshold": 1,
                "http_health_check": {"path": upstream.health_path, "host": upstream.service},
            }
        ],
        # A removed replica gets no new request, even while its health check still passes.
        "ignore_health_on_host_removal": True,
        # Below the default threshold of 50 % Envoy would also send to replicas that are not ready.
        # Without the merge window, Envoy uses a healthy replica at once, not up to 1 s later.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "circuit_breakers": {"thresholds": [_BREAKER]},
        "outlier_detection": _EJECTION,
        "load_balancing_policy": {"policies": [{"typed_extension_config": _LEAST_REQUEST}]},
        "typed_extension_protocol_options": _PROTOCOL,
    }


# HTTP/1.1. An idle connection ends here before the server ends it in a POST (uvicorn: after 5 s).
_HTTP = "upstreams.http.v3.HttpProtocolOptions"
_PROTOCOL: Values = {
    f"envoy.extensions.{_HTTP}": extension(
        "",
        _HTTP,
        common_http_protocol_options={"idle_timeout": "4s"},
        explicit_http_config={"http_protocol_options": {}},
    )["typed_config"]
}
# Requests wait for one of 1,024 connections. With 256 places to wait in, the gateway refused 24 to
# 70 % of 1,000 requests at once, which each stack answers; with 4,096 it refused none.
# A budget instead of the default of three retries at once, which turns retries off under load.
# A dead replica of two fails half of all requests: up to 100 of them are retried.
_BREAKER: Values = {
    "max_connections": 1024,
    "max_pending_requests": 4096,
    "max_requests": 4096,
    "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 100},
    "track_remaining": True,
}
# Plain 500s do not eject: one caller that triggers a bug could eject replicas for all callers.
_EJECTION: Values = {
    "enforcing_consecutive_5xx": 0,
    "consecutive_gateway_failure": 5,
    "enforcing_consecutive_gateway_failure": 100,
    "split_external_local_origin_errors": True,
    "consecutive_local_origin_failure": 3,
    "interval": "1s",
    # Each further ejection takes 5 s longer, as long as the replica goes on to fail.
    "base_ejection_time": "5s",
    "max_ejection_time": "30s",
    "max_ejection_percent": 50,
    # By default a passed health check ends the ejection: a replica that fails all but /readyz is
    # then back within a second, and a tenth of all POSTs fails for ever.
    "successful_active_health_check_uneject_host": False,
}
_LEAST_REQUEST = extension(
    "envoy.load_balancing_policies.least_request",
    "load_balancing_policies.least_request.v3.LeastRequest",
    choice_count=2,
    slow_start_config={"slow_start_window": "5s", "min_weight_percent": {"value": 20}},
)
