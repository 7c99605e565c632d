"""The table as Envoy's routes: the table in its order, then 405 for the other methods of its paths.

A route becomes up to two of Envoy's: only idempotent methods may be sent twice. An internal route
becomes a 404. Before all of them, paths that servers read in different ways get 400.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from svcgen.gateway.envoy.bodies import BODY_LIMIT, body_filters, body_limit
from svcgen.gateway.envoy.cors import (
    CORS,
    cors_answers,
    cors_policy,
    preflight_match,
    with_preflights,
)
from svcgen.gateway.envoy.guards import Guard, guards
from svcgen.gateway.envoy.rate_limits import limit_names
from svcgen.gateway.envoy.times import TIMEOUT, timeout_header, whole_time
from svcgen.gateway.envoy.xds import Values, extension, seconds
from svcgen.gateway.paths import REFUSED_PATH, parents
from svcgen.gateway.routes import IDEMPOTENT, METHODS, Route, allowed, refused_parameters
from svcgen.issuer_settings import Claims

# Harmless when done twice: any failure before a response, and a replica's 503.
RETRY_IDEMPOTENT = "connect-failure,refused-stream,reset,retriable-status-codes"
# Never to be done twice: only what cannot have reached the service.
RETRY_OTHERS = "connect-failure,refused-stream,reset-before-request"
STREAM_IDLE_MS = 60_000  # the listener's own limit
EXPECTED_TIMEOUT = "x-envoy-expected-rq-timeout-ms"  # contract rule `call-deadline`


@dataclass(frozen=True)
class Edge:
    """What all routes of the edge listener need; sizes in bytes.

    `max_body` is that of most routes, `claims` has the names of an issuer's claims, by its name.
    """

    max_body: int
    claims: Mapping[str, Claims]


def edge_routes(
    table: Sequence[Route], max_body: int, claims: Mapping[str, Claims] | None = None
) -> Values:
    """Return the route configuration of the edge listener; `max_body` is that of most routes.

    `claims` has the names of an issuer's claims, by its name.
    """
    refused = _reply("path-refused", {"safe_regex": {"regex": REFUSED_PATH}}, 400)
    # Without it, Envoy's own 404 would have none of the headers of these routes.
    absent = _reply("not-found", {"prefix": "/"}, 404)
    edge = Edge(max_body, claims or {})
    preflights = [each for route in with_preflights(table) for each in _preflights(route, edge)]
    parameters = [
        _reply("path-refused", {"safe_regex": {"regex": pattern}}, 400)
        for pattern in refused_parameters(table)
    ]
    first = [refused, *parameters, *preflights]
    found = _configuration("edge", [*first, *_table(table, edge), absent])
    found["virtual_hosts"][0]["typed_per_filter_config"] = {BODY_LIMIT: body_limit(max_body)}
    return found


def internal_routes(service: str, timeout_ms: int, attempts: int, max_body: int) -> Values:
    """Return the routes of an internal listener: every path of one service."""
    every = Route(service, "internal", "/", False, (), (), timeout_ms, attempts, None, max_body)
    return _configuration(f"internal-{service}", _table([every], None))


def every_path(name: str, status: int) -> Values:
    """Return routes that answer every request with one status."""
    return _configuration(name, [_reply(name, {"prefix": "/"}, status)])


def redirect_to_https(port: int) -> Values:
    """Return routes that redirect every request; 308 keeps its method (RFC 9110, 15.4.9)."""
    action = {"https_redirect": True, "port_redirect": port, "response_code": "PERMANENT_REDIRECT"}
    return _configuration("redirect", [{"match": {"prefix": "/"}, "redirect": action}])


def _configuration(name: str, routes: Sequence[Values]) -> Values:
    hosts = [{"name": "all", "domains": ["*"], "routes": routes}]
    return {"name": name, "virtual_hosts": hosts, "validate_clusters": False}


def _table(table: Sequence[Route], edge: Edge | None) -> list[Values]:
    entries = [
        entry
        for route in table
        for entry in ([_withheld(route)] if route.internal else _entries(route, edge))
    ]
    return entries + _not_allowed(table)


def _withheld(route: Route) -> Values:
    match = {**_path_match(route), **_method_match(route.methods or METHODS)}
    return _reply(route.full_name, match, 404)


def _reply(name: str, match: Values, status: int) -> Values:
    return {"name": name, "match": match, "direct_response": {"status": status}}


def _preflights(route: Route, edge: Edge) -> list[Values]:
    """Return the entries for the preflight requests that ask about the route's methods.

    Each is one for each kind of credential: without a policy, the service gets the request.
    """
    asked = preflight_match(route)
    if route.internal:
        return [_reply(route.full_name, {**_path_match(route), "headers": asked}, 404)]
    entries = [
        _entry(route, ("OPTIONS",), {}, guard, edge) for guard in guards(route.auth, edge.claims)
    ]
    for entry in entries:
        entry["match"]["headers"] += asked
    return entries


def _entries(route: Route, edge: Edge | None) -> list[Values]:
    """Return an entry for idempotent methods and one for the others, where the route has both.

    Each is one for each kind of credential. Without `edge`, they are those of an internal listener,
    which has no filters.
    """
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
        _entry(route, methods, retry, guard, edge)
        for methods, retry in entries
        for guard in (guards(route.auth, edge.claims) if edge else [Guard()])
    ]


def _entry(
    route: Route, methods: Sequence[str], retry: Values, guard: Guard, edge: Edge | None
) -> Values:
    """Return the entry of a route for some methods and one kind of credential."""
    about = {"http_route": route.path} | limit_names(route)  # for the log, and for the limits
    if guard.challenge:
        about["challenge"] = guard.challenge
    match = _method_match(methods)
    entry: Values = {
        "name": route.full_name,
        "match": {**_path_match(route), "headers": [*match["headers"], *guard.matched]},
        "route": {**_action(route), **retry},
        "metadata": {"filter_metadata": {"gateway": about}},
        **cors_answers(route.cors),
    }
    if not route.stream:
        entry["request_headers_to_add"] = [_deadline(route.timeout_ms)]
        entry["request_body_buffer_limit"] = route.max_body  # a longer body is not sent again
    if guard.removed:
        entry["request_headers_to_remove"] = list(guard.removed)
    if edge:
        entry["typed_per_filter_config"] = {**guard.filters, **_filters(route, edge.max_body)}
        entry["route"] |= whole_time(route)
    return entry


def _action(route: Route) -> Values:
    """Return where the request goes, and how long it may take."""
    action: Values = {"cluster": route.service, "timeout": seconds(route.timeout_ms)}
    if route.host:  # the client's own x-forwarded-host was removed before
        action |= {"host_rewrite_literal": route.host, "append_x_forwarded_host": True}
    if route.stream:
        action["idle_timeout"] = seconds(route.stream_idle_ms)
        action["upgrade_configs"] = [{"upgrade_type": "websocket", "enabled": True}]
    elif route.timeout_ms >= STREAM_IDLE_MS:
        action["idle_timeout"] = seconds(route.timeout_ms + 5_000)
    return action


def _filters(route: Route, max_body: int) -> Values:
    """Return the settings of the filters of the edge listener."""
    filters = body_filters(route, max_body)
    if not route.stream:
        filters[TIMEOUT] = timeout_header(route.timeout_ms)
    if route.cors:
        filters[CORS] = cors_policy(route.cors, route.methods or METHODS)
    return filters


def _deadline(timeout_ms: int) -> Values:
    """Return the header that says how long a response is waited for.

    Between services the caller's own value stays. That of a client was removed before.
    """
    header = {"key": EXPECTED_TIMEOUT, "value": str(timeout_ms)}
    return {"header": header, "append_action": "ADD_IF_ABSENT"}


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
