"""The document of `svcgen routes --live`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from svcgen.commands.live import LiveResult
    from svcgen.gateway.traffic import Traffic


@dataclass(frozen=True)
class RouteTraffic:
    """Requests that ended in the measured interval."""

    requests: Annotated[int, "Number of requests that ended."]
    per_second: Annotated[float, "`requests` by `seconds`."]
    errors_5xx: Annotated[int, "Responses with a status code of 500 to 599."]
    errors_4xx: Annotated[int, "Responses with a status code of 400 to 499."]
    limited: Annotated[int, "Requests that the gateway refused with 429; part of `errors_4xx`."]
    unauthorized: Annotated[
        int, "Requests that the gateway refused with 401 or 403; part of `errors_4xx`."
    ]
    p50_ms: Annotated[int | None, "Time of half of the requests at most; `null` without one."]
    p99_ms: Annotated[int | None, "Time of 99 % of the requests at most; `null` without one."]


@dataclass(frozen=True)
class LiveRoute:
    """A route of the running gateway."""

    service: Annotated[str, "Name of the service."]
    name: Annotated[str, "Name of the route in the service's registration."]
    healthy_replicas: Annotated[int, "Replicas that the gateway sends requests to."]
    replicas: Annotated[int, "Replicas that the gateway knows."]
    traffic: Annotated[RouteTraffic, "Requests of the route."]


@dataclass(frozen=True)
class LiveDocument:
    """What passed the gateway in one measured interval. Times are in milliseconds."""

    engine: Annotated[str, "`docker` or `local`."]
    url: Annotated[str, "Address of the gateway."]
    seconds: Annotated[float, "Length of the interval."]
    routes: Annotated[tuple[LiveRoute, ...], "In the order in which the gateway tries them."]
    others: Annotated[
        RouteTraffic, "Requests that the gateway answered itself: no route takes them."
    ]


def live_document(result: LiveResult) -> LiveDocument:
    """Build the document of `svcgen routes --live`."""
    routes = (
        LiveRoute(
            service=route.service,
            name=route.name,
            healthy_replicas=route.healthy,
            replicas=route.replicas,
            traffic=_traffic(route.traffic, result.seconds),
        )
        for route in result.routes
    )
    others = _traffic(result.others, result.seconds)
    return LiveDocument(result.engine, result.url, round(result.seconds, 3), tuple(routes), others)


def _traffic(traffic: Traffic, seconds: float) -> RouteTraffic:
    return RouteTraffic(
        requests=traffic.requests,
        per_second=round(traffic.requests / seconds, 2),
        errors_5xx=traffic.server_errors,
        errors_4xx=traffic.client_errors,
        limited=traffic.limited,
        unauthorized=traffic.unauthorized,
        p50_ms=traffic.p50_ms,
        p99_ms=traffic.p99_ms,
    )
