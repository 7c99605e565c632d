"""The edge listener, hardened, and the internal listeners between services.

Envoy's own advice for the edge:
https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/best_practices/edge
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from svcgen.gateway.envoy.api_keys import basic_auth_filter
from svcgen.gateway.envoy.bodies import BODY_LIMIT_FILTER, BUFFER_FILTER
from svcgen.gateway.envoy.client_address import by_connection, listener_filters
from svcgen.gateway.envoy.clusters import BUFFER_BYTES, socket_address
from svcgen.gateway.envoy.cors import CORS_FILTER
from svcgen.gateway.envoy.jwt import ACCESS_FILTER, jwt_filter
from svcgen.gateway.envoy.rate_limits import limit_filter
from svcgen.gateway.envoy.removed_headers import STRIP_HEADERS
from svcgen.gateway.envoy.replies import absent_reply, problem_replies
from svcgen.gateway.envoy.route_config import every_path, redirect_to_https
from svcgen.gateway.envoy.route_stats import ROUTE_STATS
from svcgen.gateway.envoy.times import RECEIVE_MS, TIMEOUT_FILTER
from svcgen.gateway.envoy.tracing import TRACING, VALID_TRACE
from svcgen.gateway.envoy.xds import Values, extension, seconds
from svcgen.gateway_settings import GatewaySettings

MAX_HEADERS_KIB = 32  # contract rule `headers-large`: a service accepts more
MANAGER = "filters.network.http_connection_manager.v3.HttpConnectionManager"


def edge_listener(  # noqa: PLR0913 (a source for each kind of file)
    host: str,
    port: int,
    routes: Values,
    *,
    issuers: Path,
    keys: Path,
    limits: Path,
    settings: GatewaySettings,
    tls: Values | None = None,
) -> Values:
    """Return the listener for clients; `routes` is its `rds` or `route_config`.

    `issuers` is the file of jwt_file, `keys` that of keys_document, and `limits` that of
    limits_file. `tls` has the keys of a filter chain that make it HTTPS.
    """
    manager = {
        "stat_prefix": "edge",
        **routes,
        **_HARDENED,
        "early_header_mutation_extensions": [STRIP_HEADERS, VALID_TRACE],
        "http_filters": [
            *(_READYZ, CORS_FILTER, jwt_filter(issuers), basic_auth_filter(keys), ACCESS_FILTER),
            *(limit_filter(limits), BODY_LIMIT_FILTER, BUFFER_FILTER, TIMEOUT_FILTER, _ROUTER),
        ],
        "tracing": TRACING,
        "access_log": [_ACCESS_LOG, ROUTE_STATS],
    }
    chains = [(match | (tls or {}), manager | seen) for match, seen in by_connection(settings)]
    return _listener("edge", host, port, chains) | listener_filters(settings)


def redirect_listener(host: str, port: int, https_port: int) -> Values:
    """Return the listener that answers every request over HTTP with its URL in HTTPS."""
    manager = {
        "stat_prefix": "redirect",
        "route_config": redirect_to_https(https_port),
        **_HARDENED,
        "local_reply_config": {"mappers": problem_replies()["mappers"]},  # a 308 has no body
        "http_filters": [_ROUTER],
        "access_log": [_ACCESS_LOG],
    }
    return _listener("redirect", host, port, [({}, manager)])


def internal_listener(service: str, port: int, routes: Values) -> Values:
    """Return the loopback listener for calls to one service; identity and deadline pass."""
    manager = {
        "stat_prefix": f"internal-{service}",
        "route_config": routes,
        **_PLAIN,
        # Envoy then keeps the x-envoy-* headers of callers, which are services.
        "internal_address_config": {
            "cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]
        },
        "http_filters": [_ROUTER],
    }
    return _listener(f"internal-{service}", "127.0.0.1", port, [({}, manager)])


def absent_listener(name: str, host: str, port: int) -> Values:
    """Return the listener for calls to services that the workspace does not have: 503 at once.

    So their callers start and can be developed, and report the callee as unavailable.
    """
    manager = {
        **_PLAIN,
        "stat_prefix": name,
        "route_config": every_path(name, 503),
        "local_reply_config": absent_reply(),
        "http_filters": [_ROUTER],
    }
    return _listener(name, host, port, [({}, manager)])


def _listener(name: str, host: str, port: int, chains: Sequence[tuple[Values, Values]]) -> Values:
    """Return a listener with a connection manager for each kind of connection."""
    kind = "envoy.filters.network.http_connection_manager"
    return {
        "name": name,
        "address": socket_address(host, port),
        # A second gateway on this port must fail to start, not take every other request.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [
            {**match, "filters": [extension(kind, MANAGER, **manager)]} for match, manager in chains
        ],
    }


# `internal_address_config` is unset at the edge: then Envoy trusts no client's x-envoy-* headers.
_PLAIN: Values = {
    "use_remote_address": True,
    "normalize_path": True,
    "merge_slashes": True,
    "local_reply_config": problem_replies(),
    "server_header_transformation": "PASS_THROUGH",
    "common_http_protocol_options": {"idle_timeout": "60s"},
    "stream_idle_timeout": "60s",
}
_HARDENED: Values = {
    **_PLAIN,
    # The routes refuse methods that Envoy does not know; without this they are 400 in HTTP/1.1.
    "http_protocol_options": {"allow_custom_methods": True},
    "path_with_escaped_slashes_action": "REJECT_REQUEST",
    "request_headers_timeout": "10s",
    "max_request_headers_kb": MAX_HEADERS_KIB,
    "preserve_external_request_id": False,
    "common_http_protocol_options": {
        "idle_timeout": "60s",
        "max_headers_count": 100,
        "headers_with_underscores_action": "REJECT_REQUEST",
        "max_connection_duration": "3600s",
        # Clients that connected at the same time do not all come back at the same time.
        "max_connection_duration_jitter": {"value": 10},
        # Of a request without a route; each route has its own. `request_timeout` would end long
        # uploads, as a route cannot change it.
        "max_stream_duration": seconds(RECEIVE_MS),
    },
    "drain_timeout_jitter": {"value": 20},
    "http2_protocol_options": {
        "max_concurrent_streams": 100,
        "initial_stream_window_size": 65_536,
        "initial_connection_window_size": 1_048_576,
    },
}


# Answer /readyz: 200, and 503 while the gateway drains.
_READYZ = extension(
    "envoy.filters.http.health_check",
    "filters.http.health_check.v3.HealthCheck",
    pass_through_mode=False,
    headers=[{"name": ":path", "string_match": {"safe_regex": {"regex": r"/readyz(\?.*)?"}}}],
)
_ROUTER = extension(
    "envoy.filters.http.router", "filters.http.router.v3.Router", suppress_envoy_headers=True
)
_LOG_FIELDS = {
    "service": "gateway",
    "time": "%START_TIME%",
    "level": "info",
    "msg": "request",
    "trace_id": "%TRACE_ID%",
    "span_id": "%SPAN_ID%",
    "request_id": "%REQUEST_HEADER(X-REQUEST-ID)%",
    "http_request_method": "%REQUEST_HEADER(:METHOD):100%",
    "url_path": "%PATH(NQ):1000%",
    "http_route": "%METADATA(ROUTE:gateway:http_route)%",
    "http_response_status_code": "%RESPONSE_CODE%",
    "duration_seconds": "%TYPED_CEL(double(request.duration.getSeconds())"
    " + double(request.duration.getMilliseconds()) / 1000.0)%",
    "route": "%ROUTE_NAME%",
    "upstream": "%UPSTREAM_CLUSTER%",
    "replica": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
}
# One JSON line a request; the path has no query, which may hold secrets.
_ACCESS_LOG: Values = {
    **extension(
        "envoy.access_loggers.stdout",
        "access_loggers.stream.v3.StdoutAccessLog",
        log_format={"json_format": _LOG_FIELDS},
    ),
    "filter": {"not_health_check_filter": {}},
}
