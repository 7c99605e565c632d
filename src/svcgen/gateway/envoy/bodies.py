"""The body of a request: its largest size, and whether the gateway reads all of it first."""

from __future__ import annotations

from svcgen.gateway.envoy.xds import EXTENSIONS, Values, extension
from svcgen.gateway.routes import Route

BUFFER = "envoy.filters.http.buffer"
BODY_LIMIT = "envoy.filters.http.filter_chain"
_UNLIMITED = (1 << 63) - 1

# Off here and on in each route with the route's limit: a change of a listener would not reach the
# connections that are open.
BUFFER_FILTER: Values = {
    **extension(BUFFER, "filters.http.buffer.v3.Buffer", max_request_bytes=1),
    "disabled": True,
}
# Refuses a body by its Content-Length before any of it is read, and while it passes. The filter for
# it has no settings of a route, so the routes have it in a chain.
BODY_LIMIT_FILTER = extension(BODY_LIMIT, "filters.http.filter_chain.v3.FilterChainConfig")


def body_filters(route: Route, max_body: int) -> Values:
    """Return the settings of a route where they differ from those of all routes (`body_limit`)."""
    own = {BODY_LIMIT: body_limit(route.max_body)} if route.max_body != max_body else {}
    return own if route.stream else own | {BUFFER: _read_first(route.max_body)}


def body_limit(max_body: int) -> Values:
    """Return the largest size of a body; 0 for no limit."""
    limit = extension(
        "envoy.filters.http.body_size_limit",
        "filters.http.body_size_limit.v3.BodySizeLimit",
        max_request_bytes=max_body or _UNLIMITED,
    )
    kind = f"{EXTENSIONS}.filters.http.filter_chain.v3.FilterChainConfigPerRoute"
    return {"@type": kind, "filter_chain": {"filters": [limit]}}


def _read_first(max_body: int) -> Values:
    """Return the limit of a body that the gateway reads whole before it selects a replica.

    Passed on piece by piece, each slow body would hold a connection to the service.
    """
    kind = f"{EXTENSIONS}.filters.http.buffer.v3.BufferPerRoute"
    return {"@type": kind, "buffer": {"max_request_bytes": max_body}}
