"""The table as Envoy's routes: the table in its order, then 405 for what is left of its paths.

A route becomes up to two of Envoy's, because only idempotent methods may be sent twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from svcgen.gateway.envoy.xds import Values, extension, seconds
from svcgen.gateway.paths import parents
from svcgen.gateway.routes import IDEMPOTENT, METHODS, Route, allowed

# Done twice, harmless: any failure before an answer, and a replica's 503.
RETRY_IDEMPOTENT = "connect-failure,refused-stream,reset,retriable-status-codes"
# Never done twice: only what cannot have reached the service.
RETRY_OTHERS = "connect-failure,refused-stream,reset-before-request"
STREAM_IDLE_MS = 60_000  # the listener's own limit


def edge_routes(table: Sequence[Route]) -> Values:
    """Return the route configuration of the edge listener."""
    routes = [entry for route in table for entry in _entries(route)] + _not_allowed(table)
    return {
        "name": "edge",
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
        "validate_clusters": False,
    }


def internal_routes(service: str, timeout_ms: int, attempts: int) -> Values:
    """Return the routes of an internal listener: every path of one service."""
    every = Route(service, "internal", "/", False, (), "none", timeout_ms, attempts, None)
    return {
        "name": f"internal-{service}",
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": _entries(every)}],
        "validate_clusters": False,
    }


def _entries(route: Route) -> list[Values]:
    """Make one route for idempotent methods and one for the others, as far as it has both."""
    action = _action(route)
    safe = [method for method in route.methods or METHODS if method in IDEMPOTENT]
    others = [method for method in route.methods if method not in IDEMPOTENT]
    entries = []
    if safe:
        retry = _retry(RETRY_IDEMPOTENT, route.attempts, route.per_try_ms)
        entries.append(_entry(route, safe, {**action, **retry}))
    if others or not route.methods:
        retry = _retry(RETRY_OTHERS, route.attempts, None)
        entries.append(_entry(route, others, {**action, **retry}))
    return entries


def _entry(route: Route, methods: Sequence[str], action: Values) -> Values:
    match = {**_path_match(route), **_methods(methods)}
    return {"name": route.full_name, "match": match, "route": action}


def _path_match(route: Route) -> Values:
    if route.path == "/" and not route.exact:
        return {"prefix": "/"}
    return {"path" if route.exact else "path_separated_prefix": route.path}


def _methods(methods: Sequence[str]) -> Values:
    if not methods:
        return {}
    regex = {"safe_regex": {"regex": "|".join(methods)}}
    return {"headers": [{"name": ":method", "string_match": regex}]}


def _action(route: Route) -> Values:
    action: Values = {"cluster": route.service, "timeout": seconds(route.timeout_ms)}
    if route.timeout_ms >= STREAM_IDLE_MS:
        action["idle_timeout"] = seconds(route.timeout_ms + 5_000)
    return action


def _retry(when: str, attempts: int, per_try_ms: int | None) -> Values:
    """Try again on another replica; without `previous_hosts` a retry may hit the dead one again."""
    if not attempts:
        return {}
    kind = "retry.host.previous_hosts.v3.PreviousHostsPredicate"
    policy: Values = {
        "retry_on": when,
        "num_retries": attempts,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.250s"},
        "retry_host_predicate": [extension("envoy.retry_host_predicates.previous_hosts", kind)],
        "host_selection_retry_max_attempts": 3,
    }
    if "retriable-status-codes" in when:
        policy["retriable_status_codes"] = [503]
    if per_try_ms:
        policy["per_try_timeout"] = seconds(per_try_ms)
    return {"retry_policy": policy}


def _not_allowed(table: Sequence[Route]) -> list[Values]:
    """Answer 405 where a path is claimed but the method is not (RFC 9110, section 15.5.6)."""
    claimed: dict[tuple[bool, str], list[Route]] = {}
    for route in table:
        claimed.setdefault((route.exact, route.path), []).append(route)
    refusals = []
    for (exact, path), routes in claimed.items():
        prefixes = ([] if not exact else [path]) + parents(path)
        above = [route for prefix in prefixes for route in claimed.get((False, prefix), ())]
        if all(route.methods for route in (*routes, *above)):
            refusals.append(_refusal(routes[0], allowed((*routes, *above))))
    return refusals


def _refusal(route: Route, allow: Sequence[str]) -> Values:
    return {
        "name": "method-not-allowed",
        "match": _path_match(route),
        "direct_response": {"status": 405},
        "response_headers_to_add": [{"header": {"key": "allow", "value": ", ".join(allow)}}],
    }
