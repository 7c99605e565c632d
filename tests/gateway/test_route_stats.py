"""What a real Envoy counts by route, read at two looks, also what it refuses itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from svcgen.gateway.admin import (
    EDGE_ROUTES_PAGE,
    ROUTE_STATS_PAGE,
    Bucket,
    Outcome,
    RouteStats,
    ask,
    parse_edge_routes,
    parse_route_stats,
)
from svcgen.gateway.traffic import OTHERS, Traffic, percentile, traffic_between
from tests.support.envoy_process import SETTINGS, Gateway, registration, until
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")

REGISTRATIONS = (
    registration(
        "orders",
        # Two of Envoy's routes, and one row: GET is sent again after a failure, POST is not.
        api={"path": "/v1/orders", "methods": ["GET", "POST"]},
        hidden={"path": "/v1/orders/hidden", "expose": "internal"},
        denied={"path": "/v1/denied", "auth": {"key": "partners"}},
        limited={
            "path": "/v1/limited",
            "rate_limit": [{"requests": 1, "per": "1h", "by": "route"}],
        },
        slow={"path": "/v1/slow", "timeout": "200ms", "retry": {"attempts": 0}},
    ),
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    gateway, upstream = Gateway(), Upstream("orders")
    try:
        gateway.use({"orders": [upstream.port]}, REGISTRATIONS)
        until(lambda: gateway.healthy("orders"))
        yield gateway
    finally:
        gateway.end()


def look(gateway: Gateway, total: int) -> RouteStats:
    """Return the counters when they have `total` requests, and a time for each."""
    seen: list[RouteStats] = []

    def complete() -> bool:
        seen.append(parse_route_stats(ask(gateway.admin, ROUTE_STATS_PAGE)))
        parts = (seen[-1].requests, seen[-1].times)
        return [sum(one.total() for one in part.values()) for part in parts] == [total, total]

    until(complete)
    return seen[-1]


def test_each_route_has_its_requests_also_what_the_gateway_refuses(gateway: Gateway) -> None:
    gateway.send("/v1/orders")  # before the interval
    before = look(gateway, 1)
    sent = [
        *[("/v1/orders", "GET", 200)] * 5,
        *[("/v1/orders?status=403", "GET", 403)] * 2,  # of the service: not refused
        *[("/v1/orders?status=503", "POST", 503)] * 3,
        *[("/v1/denied", "GET", 401)] * 4,
        ("/v1/limited", "GET", 200),
        *[("/v1/limited", "GET", 429)] * 6,
        *[("/v1/slow?slow=1", "GET", 504)] * 2,
        *[("/v1/orders", "DELETE", 405)] * 2,
        *[("/v1/orders/hidden", "GET", 404), ("/nothing", "GET", 404), ("/v1/x%2fy", "GET", 400)],
    ]
    for path, method, status in sent:
        assert gateway.send(path, method).status == status
    large = gateway.send("/v1/orders", "POST", body=b"x" * (SETTINGS.max_body_bytes + 1))
    assert large.status == 413
    chunks = gateway.send("/v1/orders", "POST", body=iter([b"x" * SETTINGS.max_body_bytes, b"x"]))
    assert chunks.status == 413
    routes = parse_edge_routes(ask(gateway.admin, EDGE_ROUTES_PAGE))
    assert set(routes) == {f"orders-{name}" for name in ("api", "denied", "limited", "slow")}
    passed = traffic_between(before, look(gateway, len(sent) + 3), routes)
    slow = passed.pop("orders-slow")
    assert (slow.requests, slow.server_errors) == (2, 2)
    assert slow.p50_ms is not None
    assert slow.p50_ms >= 190  # it is cut at 200 ms, in a bucket of 10
    counts = {name: replace(one, p50_ms=None, p99_ms=None) for name, one in passed.items()}
    assert counts == {
        "orders-api": Traffic(12, server_errors=3, client_errors=4),
        "orders-denied": Traffic(4, client_errors=4, unauthorized=4),
        "orders-limited": Traffic(7, client_errors=6, limited=6),
        OTHERS: Traffic(5, client_errors=5),
    }


def test_an_interval_without_requests_has_neither_rate_nor_times(gateway: Gateway) -> None:
    stats = parse_route_stats(ask(gateway.admin, ROUTE_STATS_PAGE))
    assert traffic_between(stats, stats, ["orders-api"]) == {
        "orders-api": Traffic(),
        OTHERS: Traffic(),
    }


def test_the_counters_of_an_envoy_that_started_again_are_not_negative() -> None:
    ok, fast, slow = Outcome(200, sent=True), Bucket(1, 0.1), Bucket(120, 10)
    before = RouteStats({"a": Counter({ok: 90})}, {"a": Counter({fast: 90})})
    after = RouteStats({"a": Counter({ok: 2})}, {"a": Counter({fast: 1, slow: 1})})
    assert traffic_between(before, after, ["a"])["a"] == Traffic(2, p50_ms=1, p99_ms=130)


@pytest.mark.parametrize(
    ("times", "p50", "p99"),
    [
        ({}, None, None),
        ({Bucket(0, 0): 1}, 0, 0),
        ({Bucket(2, 0.1): 99, Bucket(500, 10): 1}, 2, 2),
        ({Bucket(2, 0.1): 98, Bucket(500, 10): 2}, 2, 505),
        ({Bucket(500, 10): 1, Bucket(7, 0.1): 1}, 7, 510),
    ],
)
def test_percentiles(times: dict[Bucket, int], p50: int | None, p99: int | None) -> None:
    assert (percentile(Counter(times), 50), percentile(Counter(times), 99)) == (p50, p99)
