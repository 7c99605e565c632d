"""The gateway's table: every route, in the order in which they are tried.

An internal route has its place in it: the gateway answers 404 there, also below an exposed prefix.

The order is the Gateway API's (HTTPRouteRule.matches,
https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule): an exact path comes before a prefix,
a longer prefix before a shorter one, then a match that names the method before one that does not,
and finally the routes' names in alphabetical order. A route with methods is one match for each of
them; HEAD follows GET, and OPTIONS passes to the service.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from svcgen.gateway.access import Way, ways_of, ways_text
from svcgen.gateway.limits import Cors, RateLimit
from svcgen.gateway.paths import covers, normal_path, parents
from svcgen.gateway.registration import Registration, RouteEntry
from svcgen.gateway_settings import GatewaySettings
from svcgen.units import parse_duration, parse_size

# No other method reaches a service: a TRACE would return the headers that the gateway adds.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# RFC 9110, section 9.2.2: sending one twice has the same effect as sending it once.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
DEFAULTS = GatewaySettings()
STREAM_IDLE = "5m"


_OWN = {
    "/readyz": (200, "the gateway's own readiness"),
    "*": (404, "the gateway itself has no options"),
}
_DEEPEST = 50  # segments of a pattern: Envoy limits its size
TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2


@dataclass(frozen=True)
class Route:
    """One path of one service on the gateway; times in milliseconds, sizes in bytes.

    `max_body` is 0 for a stream without a limit, and `stream_idle_ms` for what is not a stream.

    `methods` are those that match, with HEAD and OPTIONS where they follow from the others, in
    the order of METHODS; none means all of METHODS. `auth` has the ways to call it; none means
    that it is open. `weaker` says why it may ask for less than another route of its path. `host`
    is the Host header that an external service gets, and empty for a service of the workspace.
    """

    service: str
    name: str
    path: str
    exact: bool
    methods: tuple[str, ...]
    auth: tuple[Way, ...]
    timeout_ms: int
    attempts: int
    per_try_ms: int | None
    max_body: int = DEFAULTS.max_body_bytes
    internal: bool = False
    weaker: str = ""
    rate_limits: tuple[RateLimit, ...] = ()
    cors: Cors | None = None
    stream_idle_ms: int = 0
    host: str = ""

    @property
    def stream(self) -> bool:
        """Whether bodies pass piece by piece, without a limit of the whole time."""
        return self.stream_idle_ms > 0

    @property
    def full_name(self) -> str:
        """The name of the HTTPRoute that the chart makes of this route."""
        return f"{self.service}-{self.name}"

    @property
    def auth_text(self) -> str:
        """The ways as tables show them, `none` for an open route."""
        return ways_text(self.auth)

    def covers(self, path: str) -> bool:
        """Report whether the route matches a path, whatever the method."""
        return path == self.path if self.exact else covers(self.path, path)

    def takes(self, method: str) -> bool:
        """Report whether the route matches a method on its path."""
        return method in (self.methods or METHODS)


def route_table(
    registrations: Iterable[Registration], settings: GatewaySettings | None = None
) -> tuple[Route, ...]:
    """Return every route in the order in which the gateway tries them."""
    defaults = settings or DEFAULTS
    routes = (
        replace(_route(registration.service, name, entry, defaults), host=registration.host_header)
        for registration in registrations
        for name, entry in registration.routes.items()
    )
    return tuple(sorted(routes, key=precedence))


def precedence(route: Route) -> tuple[bool, int, str, bool, str]:
    """Sort key of the match order; the path keeps equal ones together."""
    return (not route.exact, -len(route.path), route.path, not route.methods, route.full_name)


def by_path(table: Iterable[Route]) -> dict[str, list[Route]]:
    """Return the routes of each path, in match order."""
    found: dict[str, list[Route]] = {}
    for route in table:
        found.setdefault(route.path, []).append(route)
    return found


def covering(routes: Mapping[str, Sequence[Route]], path: str) -> Iterator[Route]:
    """Yield the routes that match a path, in match order, out of those of `by_path`."""
    for prefix in dict.fromkeys((path, *parents(path))):
        yield from (route for route in routes.get(prefix, ()) if route.covers(path))


def refused_parameters(table: Iterable[Route]) -> tuple[str, ...]:
    """Return patterns of paths that get 400, for RE2 and Python.

    Tomcat and like servers read `/admin;x` as `/admin`, the gateway does not: the request would
    take the route around it. So where a service has a route with credentials or an internal one
    below a prefix that asks for something else, segments down to that route have no `;`.
    """
    routes = tuple(table)
    prefixes: dict[tuple[str, str], list[Route]] = {}
    for route in exposed(routes):
        if not route.exact:
            prefixes.setdefault((route.service, route.path), []).append(route)
    depths: dict[str, int] = {}
    for route in routes:
        for path in parents(route.path) if route.internal or route.auth else ():
            around = prefixes.get((route.service, path), ())
            if any(route.internal or each.auth != route.auth for each in around):
                depth = len(_segments(route.path)) - len(_segments(path))
                depths[path] = max(depth, depths.get(path, 0))
    return tuple(_parameter(path, depth) for path, depth in sorted(depths.items()))


def _parameter(prefix: str, depth: int) -> str:
    """Return the pattern of a parameter in one of the first segments below a prefix."""
    before = f"(?:/[^/]*){{0,{min(depth, _DEEPEST) - 1}}}"
    return rf"{re.escape(prefix.rstrip('/'))}{before}/[^/]*(?:;|%3[Bb]).*"


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def exposed(table: Iterable[Route]) -> tuple[Route, ...]:
    """Return the routes that clients reach."""
    return tuple(route for route in table if not route.internal)


def allowed(routes: Sequence[Route]) -> tuple[str, ...]:
    """Return the methods that reach a service by these routes of one path, in match order."""
    winners = {method: next(filter(_taking(method), routes), None) for method in METHODS}
    return tuple(method for method, route in winners.items() if route and not route.internal)


def _taking(method: str) -> Callable[[Route], bool]:
    return lambda route: route.takes(method)


@dataclass(frozen=True)
class Explanation:
    """How the gateway handles one request; status 0 is a request that it passes to the service."""

    method: str
    path: str
    status: int
    route: Route | None
    reason: str
    passed_over: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()


def explain(table: Sequence[Route], target: str, method: str = "GET") -> Explanation:
    """Return which route wins a request and why, or the response of the gateway itself."""
    try:
        path = _normal_request(table, target, method)
    except ValueError as error:
        return Explanation(method, target, 400, None, str(error))
    if path in _OWN:
        status, reason = _OWN[path]
        return Explanation(method, path, status, None, reason)
    covering = [route for route in table if route.covers(path)]
    route = next(filter(_taking(method), covering), None)
    if route:
        others = [other for other in covering if other != route]
        lost = tuple(f"{other.full_name}: {_lost(route, other, method)}" for other in others)
        if route.internal:
            reason = f"{route.full_name} is internal: only other services can call it"
            return Explanation(method, path, 404, None, reason, lost)
        return Explanation(method, path, 0, route, _won(route), lost)
    if allow := allowed(covering):
        reason = f"routes claim this path, but none for {method}"
        return Explanation(method, path, 405, None, reason, allow=allow)
    return Explanation(method, path, 404, None, "no route claims this path")


def _normal_request(table: Sequence[Route], target: str, method: str) -> str:
    """Return the normal path of a request; ValueError with the reason when the gateway refuses."""
    if method == "CONNECT" or not TOKEN.fullmatch(method):
        raise ValueError("the gateway refuses this method")
    if (method, target) == ("OPTIONS", "*"):
        return target
    path = normal_path(target)
    if any(re.fullmatch(pattern, path) for pattern in refused_parameters(table)):
        raise ValueError("some servers read another path, of a guarded route, without `;`")
    return path


def _won(route: Route) -> str:
    kind = "exact path" if route.exact else "longest prefix"
    return f"{kind} {route.path}" + (", and it names the method" if route.methods else "")


def _lost(winner: Route, other: Route, method: str) -> str:
    if not other.takes(method):
        return f"does not take {method}"
    if winner.exact and not other.exact:
        return "a prefix gives way to an exact path"
    if len(other.path) < len(winner.path):
        return f"the prefix {other.path} is shorter"
    if winner.methods and not other.methods:
        return "names no method"
    return "comes later in the alphabet"


def _route(service: str, name: str, entry: RouteEntry, defaults: GatewaySettings) -> Route:
    retry = entry.retry
    return Route(
        service=service,
        name=name,
        path=entry.exact or entry.path or "",
        exact=entry.exact is not None,
        methods=with_implied(entry.methods),
        auth=ways_of(entry.auth),
        timeout_ms=_timeout_ms(entry, defaults),
        attempts=0 if entry.stream else retry.attempts,
        per_try_ms=parse_duration(retry.per_try) if retry.per_try else None,
        max_body=_max_body(entry, defaults),
        internal=entry.expose == "internal",
        weaker=entry.weaker or "",
        rate_limits=entry.rate_limit,
        cors=entry.cors,
        stream_idle_ms=parse_duration(entry.idle_timeout or STREAM_IDLE) if entry.stream else 0,
    )


def _timeout_ms(entry: RouteEntry, defaults: GatewaySettings) -> int:
    """Return the limit of the whole time; 0 for a stream, which has none."""
    if entry.stream:
        return 0
    return parse_duration(entry.timeout) if entry.timeout else defaults.timeout_ms


def _max_body(entry: RouteEntry, defaults: GatewaySettings) -> int:
    if entry.max_body:
        return parse_size(entry.max_body)
    return 0 if entry.stream else defaults.max_body_bytes


def with_implied(methods: Sequence[str]) -> tuple[str, ...]:
    """Add HEAD to GET (RFC 9110, section 9.3.2) and OPTIONS to everything."""
    if not methods:
        return ()
    wanted = {*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    return tuple(method for method in METHODS if method in wanted)
