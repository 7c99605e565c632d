"""The edge listener, hardened, and the internal listeners between services.

Envoy's own advice for the edge:
https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/best_practices/edge
"""

from __future__ import annotations

from svcgen.gateway.envoy.clusters import BUFFER_BYTES, socket_address
from svcgen.gateway.envoy.replies import problem_replies
from svcgen.gateway.envoy.xds import Values, extension

IDENTITY_PREFIX = "x-auth-"
MANAGER = "filters.network.http_connection_manager.v3.HttpConnectionManager"


def edge_listener(host: str, port: int, max_body: int, routes: Values) -> Values:
    """Return the listener for clients; `routes` is its `rds` or `route_config`."""
    manager = {
        "stat_prefix": "edge",
        **routes,
        **_CAREFUL,
        "early_header_mutation_extensions": [_strip_identity()],
        "http_filters": [_readyz(), _body_limit(max_body), _router()],
        "access_log": [_access_log("gateway")],
    }
    return _listener("edge", host, port, manager)


def internal_listener(service: str, port: int, routes: Values) -> Values:
    """Return the loopback listener that one service is called at; identity headers pass."""
    manager = {
        "stat_prefix": f"internal-{service}",
        "route_config": routes,
        **_PLAIN,
        "http_filters": [_router()],
    }
    return _listener(f"internal-{service}", "127.0.0.1", port, manager)


def _listener(name: str, host: str, port: int, manager: Values) -> Values:
    filters = [extension("envoy.filters.network.http_connection_manager", MANAGER, **manager)]
    return {
        "name": name,
        "address": socket_address(host, port),
        # A second gateway on this port must fail to start, not take every other request.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [{"filters": filters}],
    }


# `internal_address_config` stays unset: then no caller's x-envoy-* headers are believed.
_PLAIN: Values = {
    "use_remote_address": True,
    "normalize_path": True,
    "merge_slashes": True,
    "local_reply_config": problem_replies(),
    "server_header_transformation": "PASS_THROUGH",
    "common_http_protocol_options": {"idle_timeout": "60s"},
    "stream_idle_timeout": "60s",
}
_CAREFUL: Values = {
    **_PLAIN,
    "path_with_escaped_slashes_action": "REJECT_REQUEST",
    "request_timeout": "30s",  # to receive a request
    "request_headers_timeout": "10s",
    "max_request_headers_kb": 32,
    "preserve_external_request_id": False,
    "common_http_protocol_options": {
        "idle_timeout": "60s",
        "max_headers_count": 100,
        "headers_with_underscores_action": "REJECT_REQUEST",
        "max_connection_duration": "3600s",
    },
    "http2_protocol_options": {
        "max_concurrent_streams": 100,
        "initial_stream_window_size": 65_536,
        "initial_connection_window_size": 1_048_576,
    },
}


def _strip_identity() -> Values:
    """Remove every x-auth-* a client sends, before anything reads it."""
    return extension(
        "envoy.http.early_header_mutation.header_mutation",
        "http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[{"remove_on_match": {"key_matcher": {"prefix": IDENTITY_PREFIX}}}],
    )


def _readyz() -> Values:
    """Answer /readyz: 200, and 503 once the gateway was told to drain."""
    return extension(
        "envoy.filters.http.health_check",
        "filters.http.health_check.v3.HealthCheck",
        pass_through_mode=False,
        headers=[{"name": ":path", "string_match": {"exact": "/readyz"}}],
    )


def _body_limit(max_body: int) -> Values:
    return extension(
        "envoy.filters.http.body_size_limit",
        "filters.http.body_size_limit.v3.BodySizeLimit",
        max_request_bytes=max_body,
    )


def _router() -> Values:
    kind = "filters.http.router.v3.Router"
    return extension("envoy.filters.http.router", kind, suppress_envoy_headers=True)


def _access_log(service: str) -> Values:
    """One JSON line a request; the path goes without its query, which may hold secrets."""
    log = extension(
        "envoy.access_loggers.stdout",
        "access_loggers.stream.v3.StdoutAccessLog",
        log_format={"json_format": {"service": service, **_LOG_FIELDS}},
    )
    return {**log, "filter": {"not_health_check_filter": {}}}


_LOG_FIELDS = {
    "time": "%START_TIME%",
    "level": "info",
    "msg": "request",
    "method": "%REQUEST_HEADER(:METHOD)%",
    "path": "%PATH(NQ)%",
    "status": "%RESPONSE_CODE%",
    "duration_ms": "%DURATION%",
    "route": "%ROUTE_NAME%",
    "upstream": "%UPSTREAM_CLUSTER%",
    "replica": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "request_id": "%REQUEST_HEADER(X-REQUEST-ID)%",
    "traceparent": "%REQUEST_HEADER(TRACEPARENT)%",
}
