"""CORS as Envoy's filter: it answers preflight requests, and names the origins that may read."""

from __future__ import annotations

from collections.abc import Sequence

from svcgen.gateway.envoy.xds import EXTENSIONS, Values, extension
from svcgen.gateway.limits import Cors
from svcgen.gateway.paths import parents
from svcgen.gateway.routes import METHODS, Route

CORS = "envoy.filters.http.cors"
CORS_FILTER = extension(CORS, "filters.http.cors.v3.Cors")
# A service's own headers would add an origin that the registration does not name.
_OF_SERVICE = [
    *("access-control-allow-origin", "access-control-allow-credentials"),
    *("access-control-expose-headers", "access-control-allow-methods"),
    *("access-control-allow-headers", "access-control-max-age"),
]


def cors_policy(cors: Cors, methods: Sequence[str]) -> Values:
    """Return the policy of a route."""
    return {
        "@type": f"{EXTENSIONS}.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{"exact": origin} for origin in cors.origins],
        "allow_methods": ", ".join(methods),
        "allow_headers": ", ".join(cors.headers),
        "expose_headers": ", ".join(cors.expose),
        "max_age": str(cors.max_age_ms // 1000),
        "allow_credentials": cors.credentials,
        # Otherwise a preflight from another origin would reach the service, without a token.
        "forward_not_matching_preflights": False,
    }


def cors_answers(cors: Cors | None) -> Values:
    """Return what a route with a policy does with answers: caches must keep origins apart."""
    if cors is None:
        return {}
    return {
        "response_headers_to_remove": _OF_SERVICE,
        "response_headers_to_add": [{"header": {"key": "vary", "value": "Origin"}}],
    }


def with_preflights(table: Sequence[Route]) -> tuple[Route, ...]:
    """Return the routes that need an entry for preflight requests, in match order.

    A preflight is an OPTIONS request, which every route takes, but it asks about another method.
    The route of that method answers. Besides those with a policy these are the routes above and
    below them, which take other requests of the same paths: its policy must not apply to them.
    """
    prefixes = {route.path for route in table if route.cors and not route.exact}
    paths = {route.path for route in table if route.cors}
    above = {parent for path in paths for parent in parents(path)}
    return tuple(
        route
        for route in table
        if route.cors
        or route.path in paths
        or (not route.exact and route.path in above)
        or any(parent in prefixes for parent in parents(route.path))
    )


def preflight_match(route: Route) -> list[Values]:
    """Return the headers of a preflight request that asks about a method of the route."""
    methods = "|".join(route.methods or METHODS)
    asked = {
        "name": "access-control-request-method",
        "string_match": {"safe_regex": {"regex": methods}},
    }
    return [
        {"name": ":method", "string_match": {"exact": "OPTIONS"}},
        {"name": "origin", "present_match": True},
        asked,
    ]
