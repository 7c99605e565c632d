"""Documents about the routes of the gateway: the table, and one request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from svcgen.commands.routes import RoutesResult
    from svcgen.gateway.access import Way
    from svcgen.gateway.limits import Cors, RateLimit
    from svcgen.gateway.routes import Explanation, Route


@dataclass(frozen=True)
class AccessWay:
    """One way to call a route: a token of an issuer, or a key of a group."""

    jwt: Annotated[str, "Name of the issuer; empty for a key."]
    scopes: Annotated[tuple[str, ...], "Scopes that the token must have, all of them."]
    key: Annotated[str, "Name of the group of keys; empty for a token."]
    tier: Annotated[str, "Tier that the key must have; empty for any."]


@dataclass(frozen=True)
class GatewayLimit:
    """A rate limit of a route, which each replica of the gateway applies for itself."""

    requests: Annotated[int, "How many requests pass in a period; 0 closes the route."]
    per_ms: Annotated[int, "The period, in milliseconds."]
    by: Annotated[str, "What is counted apart: `client_ip`, `route`, `subject`, `header:NAME`."]
    burst: Annotated[int, "How many requests pass at once after a pause."]
    tier: Annotated[str, "Tier of the keys that it applies to; empty for all others."]


@dataclass(frozen=True)
class GatewayCors:
    """Which web pages of other origins may call a route."""

    origins: Annotated[tuple[str, ...], "Origins of the pages; `*` for any."]
    credentials: Annotated[bool, "Whether browsers may send cookies."]
    headers: Annotated[tuple[str, ...], "Request headers that pages may set."]
    expose: Annotated[tuple[str, ...], "Response headers that pages may read."]
    max_age_ms: Annotated[int, "How long browsers may keep this, in milliseconds."]


@dataclass(frozen=True)
class GatewayRoute:
    """A route at the gateway. Times are in milliseconds."""

    service: Annotated[str, "Name of the service."]
    name: Annotated[str, "Name of the route in the service's registration."]
    path: Annotated[str, "Path that it matches."]
    exact: Annotated[bool, "Whether only this path matches, and not the paths below it."]
    methods: Annotated[tuple[str, ...], "Methods that match; empty for all methods."]
    auth: Annotated[str, "Authentication that the route requires, as text."]
    access: Annotated[tuple[AccessWay, ...], "The ways to call it; one suffices. Empty if open."]
    weaker: Annotated[str, "Why it may ask for less than another route of its path; or empty."]
    timeout_ms: Annotated[int, "Time limit of a request, with all its attempts; 0 for a stream."]
    attempts: Annotated[int, "Largest number of retries after the first try."]
    per_try_ms: Annotated[int | None, "Time limit of one attempt; `null` for no limit."]
    internal: Annotated[bool, "Whether the gateway answers 404, so that only services can call it."]
    host: Annotated[str, "`Host` header that an external service gets; empty for a service."]
    rate_limits: Annotated[tuple[GatewayLimit, ...], "All of them apply."]
    cors: Annotated[GatewayCors | None, "`null` if pages of other origins may not call it."]
    max_body: Annotated[int, "Largest body of a request, in bytes; 0 for no limit."]
    stream: Annotated[bool, "Whether bodies pass piece by piece, without a time limit."]
    idle_timeout_ms: Annotated[int, "Longest time of a stream without a byte; 0 if not a stream."]


@dataclass(frozen=True)
class RoutesDocument:
    """The routes at the gateway."""

    routes: Annotated[tuple[GatewayRoute, ...], "In the order in which the gateway tries them."]


def routes_document(result: RoutesResult) -> RoutesDocument:
    """Build the document of `svcgen routes`."""
    return RoutesDocument(route_rows(result.routes))


@dataclass(frozen=True)
class RouteDocument:
    """What the gateway does with one request."""

    method: Annotated[str, "Method of the request."]
    path: Annotated[str, "Path of the request, normalised as the gateway does it."]
    status: Annotated[int, "Status code of the gateway's own reply; 0 if a service replies."]
    route: Annotated[GatewayRoute | None, "The route that matches; `null` if none does."]
    reason: Annotated[str, "Why this route matches, or why the gateway replies itself."]
    passed_over: Annotated[tuple[str, ...], "Other routes of this path, and why they lose."]
    allow: Annotated[tuple[str, ...], "Methods in the `Allow` header of a 405 reply."]


def route_document(explanation: Explanation) -> RouteDocument:
    """Build the document of `svcgen routes PATH`."""
    return RouteDocument(
        method=explanation.method,
        path=explanation.path,
        status=explanation.status,
        route=_route(explanation.route) if explanation.route else None,
        reason=explanation.reason,
        passed_over=explanation.passed_over,
        allow=explanation.allow,
    )


def route_rows(table: Iterable[Route]) -> tuple[GatewayRoute, ...]:
    """Return a row for each route, in the order in which they are tried."""
    return tuple(_route(route) for route in table)


def _access_way(way: Way) -> AccessWay:
    from svcgen.gateway.access import JwtWay

    if isinstance(way, JwtWay):
        return AccessWay(jwt=way.jwt, scopes=way.scopes, key="", tier="")
    return AccessWay(jwt="", scopes=(), key=way.key, tier=way.tier or "")


def _route(route: Route) -> GatewayRoute:
    return GatewayRoute(
        service=route.service,
        name=route.name,
        path=route.path,
        exact=route.exact,
        methods=route.methods,
        auth=route.auth_text,
        access=tuple(map(_access_way, route.auth)),
        weaker=route.weaker,
        timeout_ms=route.timeout_ms,
        attempts=route.attempts,
        per_try_ms=route.per_try_ms,
        internal=route.internal,
        host=route.host,
        rate_limits=tuple(map(_limit, route.rate_limits)),
        cors=_cors(route.cors) if route.cors else None,
        max_body=route.max_body,
        stream=route.stream,
        idle_timeout_ms=route.stream_idle_ms,
    )


def _limit(limit: RateLimit) -> GatewayLimit:
    return GatewayLimit(
        requests=limit.requests,
        per_ms=limit.per_ms,
        by=limit.by,
        burst=limit.burst or limit.requests,
        tier=limit.tier or "",
    )


def _cors(cors: Cors) -> GatewayCors:
    return GatewayCors(
        origins=cors.origins,
        credentials=cors.credentials,
        headers=cors.headers,
        expose=cors.expose,
        max_age_ms=cors.max_age_ms,
    )
