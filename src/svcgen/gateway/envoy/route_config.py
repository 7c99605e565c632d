"""The table as Envoy's routes: the table in its order, then 405 for the other methods of its paths.

A route becomes up to two of Envoy's: only idempotent methods may be sent twice. An internal route
becomes a 404. Before all of them, paths that servers read in different ways get 400.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from svcgen.gateway.envoy.jwt import route_access
from svcgen.gateway.envoy.xds import EXTENSIONS, Values, extension, seconds
from svcgen.gateway.paths import REFUSED_PATH, parents
from svcgen.gateway.routes import IDEMPOTENT, METHODS, Route, allowed
from svcgen.issuer_settings import Claims

# Harmless when done twice: any failure before a response, and a replica's 503.
RETRY_IDEMPOTENT = "connect-failure,refused-stream,reset,retriable-status-codes"
# Never to be done twice: only what cannot have reached the service.
RETRY_OTHERS = "connect-failure,refused-stream,reset-before-request"
BUFFER = "envoy.filters.http.buffer"
STREAM_IDLE_MS = 60_000  # the listener's own limit
EXPECTED_TIMEOUT = "x-envoy-expected-rq-timeout-ms"  # contract rule `call-deadline`


def edge_routes(table: Sequence[Route], claims: Mapping[str, Claims] | None = None) -> Values:
    """Return the route configuration of the edge listener.

    `claims` has the names of an issuer's claims, by its name.
    """
    refused = _reply("path-refused", {"safe_regex": {"regex": REFUSED_PATH}}, 400)
    return _configuration("edge", [*_too_large(table), refused, *_table(table, claims or {})])


def _too_large(table: Sequence[Route]) -> list[Values]:
    """Return a 413 for a body that says that it is too large, before any of it is read."""
    if not table:
        return []
    sizes = {"start": max(route.max_body for route in table) + 1, "end": (1 << 63) - 1}
    header = {"name": "content-length", "range_match": sizes}
    return [_reply("body-too-large", {"prefix": "/", "headers": [header]}, 413)]


def internal_routes(service: str, timeout_ms: int, attempts: int, max_body: int) -> Values:
    """Return the routes of an internal listener: every path of one service."""
    every = Route(service, "internal", "/", False, (), (), timeout_ms, attempts, None, max_body)
    return _configuration(f"internal-{service}", _table([every], {}))


def every_path(name: str, status: int) -> Values:
    """Return routes that answer every request with one status."""
    return _configuration(name, [_reply(name, {"prefix": "/"}, status)])


def _configuration(name: str, routes: Sequence[Values]) -> Values:
    hosts = [{"name": "all", "domains": ["*"], "routes": routes}]
    return {"name": name, "virtual_hosts": hosts, "validate_clusters": False}


def _table(table: Sequence[Route], claims: Mapping[str, Claims]) -> list[Values]:
    entries = [
        entry
        for route in table
        for entry in ([_withheld(route)] if route.internal else _entries(route, claims))
    ]
    return entries + _not_allowed(table)


def _withheld(route: Route) -> Values:
    match = {**_path_match(route), **_method_match(route.methods or METHODS)}
    return _reply(route.full_name, match, 404)


def _reply(name: str, match: Values, status: int) -> Values:
    return {"name": name, "match": match, "direct_response": {"status": status}}


def _entries(route: Route, claims: Mapping[str, Claims]) -> list[Values]:
    """Return one entry for idempotent methods and one for the others, where the route has both."""
    action: Values = {"cluster": route.service, "timeout": seconds(route.timeout_ms)}
    if route.timeout_ms >= STREAM_IDLE_MS:
        action["idle_timeout"] = seconds(route.timeout_ms + 5_000)
    if route.host:  # the client's own x-forwarded-host was removed before
        action |= {"host_rewrite_literal": route.host, "append_x_forwarded_host": True}
    methods = route.methods or METHODS
    safe = [method for method in methods if method in IDEMPOTENT]
    others = [method for method in methods if method not in IDEMPOTENT]
    entries = []
    if safe:
        retry = _retry(RETRY_IDEMPOTENT, route.attempts, route.per_try_ms)
        entries.append((safe, retry))
    if others:
        entries.append((others, _retry(RETRY_OTHERS, route.attempts, None)))
    return [
        {
            "name": route.full_name,
            "match": {**_path_match(route), **_method_match(methods)},
            "route": {**action, **retry},
            "request_headers_to_add": [_deadline(route.timeout_ms)],
            "metadata": {"filter_metadata": {"gateway": {"http_route": route.path}}},  # for the log
            "request_body_buffer_limit": route.max_body,  # a longer body is not sent again
            "typed_per_filter_config": {
                **route_access(route.auth, claims),
                BUFFER: _taken_in(route.max_body),
            },
        }
        for methods, retry in entries
    ]


def _deadline(timeout_ms: int) -> Values:
    """Return the header that says how long a response is waited for.

    Between services the caller's own value stays. That of a client was removed before.
    """
    header = {"key": EXPECTED_TIMEOUT, "value": str(timeout_ms)}
    return {"header": header, "append_action": "ADD_IF_ABSENT"}


def _taken_in(max_body: int) -> Values:
    """Return the limit of a body that the gateway reads whole before it selects a replica.

    Passed on piece by piece, each slow body would hold a connection to the service.
    """
    kind = f"{EXTENSIONS}.filters.http.buffer.v3.BufferPerRoute"
    return {"@type": kind, "buffer": {"max_request_bytes": max_body}}


def _path_match(route: Route) -> Values:
    if route.path == "/" and not route.exact:
        return {"prefix": "/"}
    return {"path" if route.exact else "path_separated_prefix": route.path}


def _method_match(methods: Sequence[str]) -> Values:
    regex = {"safe_regex": {"regex": "|".join(methods)}}
    return {"headers": [{"name": ":method", "string_match": regex}]}


def _retry(when: str, attempts: int, per_try_ms: int | None) -> Values:
    """Return the retry policy; `previous_hosts` makes Envoy retry on another replica."""
    if not attempts:
        return {}
    kind = "retry.host.previous_hosts.v3.PreviousHostsPredicate"
    policy: Values = {
        "retry_on": when,
        "num_retries": attempts,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.250s"},
        "retry_host_predicate": [extension("envoy.retry_host_predicates.previous_hosts", kind)],
        # Of two idle replicas, the failed one is drawn again and again: four times in 1 of 16.
        "host_selection_retry_max_attempts": 20,
    }
    if "retriable-status-codes" in when:
        policy["retriable_status_codes"] = [503]
    if per_try_ms:
        policy["per_try_timeout"] = seconds(per_try_ms)
    return {"retry_policy": policy}


def _not_allowed(table: Sequence[Route]) -> list[Values]:
    """Return what each path with routes gets for the methods that no route matches.

    405 with the methods that do match (RFC 9110, section 15.5.6); 404 where only internal routes
    match, so that it says no more than an unknown path.
    """
    claimed: dict[tuple[bool, str], list[Route]] = {}
    for route in table:
        claimed.setdefault((route.exact, route.path), []).append(route)
    refusals: list[Values] = []
    for (exact, path), routes in claimed.items():
        prefixes = ([path] if exact else []) + parents(path)
        above = [route for prefix in prefixes for route in claimed.get((False, prefix), ())]
        methods = allowed([*routes, *above])
        reply = _reply("method-not-allowed", _path_match(routes[0]), 405 if methods else 404)
        if methods:
            allow = {"key": "allow", "value": ", ".join(methods)}
            reply["response_headers_to_add"] = [{"header": allow}]
        refusals.append(reply)
    return refusals
