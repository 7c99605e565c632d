"""What passed each route between two looks at Envoy's counters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from svcgen.gateway.admin import Bucket, Outcome, RouteStats

T = TypeVar("T")

OTHERS = ""
"""The name for requests that no route takes."""

_UNAUTHORIZED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True)
class Traffic:
    """The requests of one route that ended in a measured interval.

    `limited` (429) and `unauthorized` (401 and 403) count what the gateway refused. A service that
    replies so counts in `client_errors` alone, which has them all. Times are in milliseconds, of
    all requests, None without one.
    """

    requests: int = 0
    server_errors: int = 0
    client_errors: int = 0
    limited: int = 0
    unauthorized: int = 0
    p50_ms: int | None = None
    p99_ms: int | None = None


def traffic_between(
    before: RouteStats, after: RouteStats, routes: Collection[str]
) -> dict[str, Traffic]:
    """Return what passed each of these routes; all other requests are under OTHERS."""
    passed: dict[str, Counter[Outcome]] = {}
    times: dict[str, Counter[Bucket]] = {}
    for name in after.requests:
        route = name if name in routes else OTHERS
        passed.setdefault(route, Counter()).update(_rise(before.requests, after.requests, name))
        times.setdefault(route, Counter()).update(_rise(before.times, after.times, name))
    empty: tuple[Counter[Outcome], Counter[Bucket]] = (Counter(), Counter())
    return {
        route: _traffic(passed.get(route, empty[0]), times.get(route, empty[1]))
        for route in (*routes, OTHERS)
    }


def _rise(
    before: Mapping[str, Counter[T]], after: Mapping[str, Counter[T]], route: str
) -> Counter[T]:
    """Return by how much the counters of a route rose; all of it, when Envoy started again."""
    old, new = before.get(route, Counter[T]()), after.get(route, Counter[T]())
    again = any(new[key] < count for key, count in old.items())
    return new if again else new - old


def _traffic(passed: Counter[Outcome], times: Counter[Bucket]) -> Traffic:
    def count(codes: range | set[HTTPStatus], *, refused: bool = False) -> int:
        return sum(
            number
            for outcome, number in passed.items()
            if outcome.code in codes and not (refused and outcome.sent)
        )

    return Traffic(
        requests=passed.total(),
        server_errors=count(range(500, 600)),
        client_errors=count(range(400, 500)),
        limited=count({HTTPStatus.TOO_MANY_REQUESTS}, refused=True),
        unauthorized=count(_UNAUTHORIZED, refused=True),
        p50_ms=percentile(times, 50),
        p99_ms=percentile(times, 99),
    )


def percentile(times: Counter[Bucket], percent: int) -> int | None:
    """Return the time that `percent` of the requests did not exceed, within the width of a bucket.

    None without a request.
    """
    rank = math.ceil(times.total() * percent / 100)
    for bucket, count in sorted(times.items()):
        if rank <= count:
            return round(bucket.lower + bucket.width * rank / count)
        rank -= count
    return None
