"""The counters and times of each route, which Envoy keeps for `svcgen routes --live`.

The router's own statistics of a route lack what a filter refuses before it: 401, 403, 413 and 429.
So the access log counts, which sees every request at its end. A route that gets no requests costs
no memory. The names in a counter are those of routes and three-digit codes, none of a client.
"""

from __future__ import annotations

from svcgen.gateway.envoy.xds import Values, extension

PREFIX = "edge_routes"
# Envoy adds what its threads measured to a histogram once in this time.
MERGE_INTERVAL = "1s"
# Envoy keeps those of removed routes, too, as long as it runs. Without a limit, its memory would
# grow with each new name: 0.2 KB for a counter, 6 KB for a histogram. Further ones are not kept.
MAX_COUNTERS = 50_000
MAX_HISTOGRAMS = 5_000

_ROUTE = {"name": "route", "value_format": "%ROUTE_NAME%"}
_ATTEMPTS = {"name": "attempts", "value_format": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"}
_CODE = {"name": "code", "value_format": "%RESPONSE_CODE%"}
_REQUESTS = {"stat": {"name": "requests", "tags": [_ROUTE, _ATTEMPTS, _CODE]}, "value_fixed": 1}
_TIME = {
    "stat": {"name": "time", "tags": [_ROUTE]},
    "unit": "Milliseconds",
    "value_format": "%DURATION%",
}

ROUTE_STATS: Values = {
    **extension(
        "envoy.access_loggers.stats",
        "access_loggers.stats.v3.Config",
        stats_scope={
            "prefix": PREFIX,
            "max_counters": MAX_COUNTERS,
            "max_histograms": MAX_HISTOGRAMS,
        },
        counters=[_REQUESTS],
        histograms=[_TIME],
    ),
    "filter": {"not_health_check_filter": {}},
}
