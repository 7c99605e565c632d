"""How long a request and its response may take: a limit of each route, which streams lack.

Envoy's `request_timeout` is the listener's, and no route can change it. So each route limits the
whole time instead (`max_stream_duration`). Envoy then ignores the route's own timeout, but not the
header for it, which this filter sets. A client cannot: the gateway removes its x-envoy-* headers.
"""

from __future__ import annotations

from svcgen.gateway.envoy.xds import EXTENSIONS, Values, extension, seconds
from svcgen.gateway.routes import Route

RECEIVE_MS = 30_000  # to receive a request
TIMEOUT = "envoy.filters.http.header_mutation"
TIMEOUT_FILTER = extension(TIMEOUT, "filters.http.header_mutation.v3.HeaderMutation")


def timeout_header(timeout_ms: int) -> Values:
    """Return the settings of a route: Envoy waits so long for the response."""
    header = {"key": "x-envoy-upstream-rq-timeout-ms", "value": str(timeout_ms)}
    mutation = {"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    kind = f"{EXTENSIONS}.filters.http.header_mutation.v3.HeaderMutationPerRoute"
    return {"@type": kind, "mutations": {"request_mutations": [mutation]}}


def whole_time(route: Route) -> Values:
    """Return the limit of receiving a request and responding to it; a stream has none.

    Envoy then ignores the timeout of the route, which begins when the request has arrived, but
    keeps the one that TIMEOUT_FILTER sets.
    """
    whole = 0 if route.stream else RECEIVE_MS + route.timeout_ms
    return {"max_stream_duration": {"max_stream_duration": seconds(whole)}}
