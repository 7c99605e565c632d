"""Rate limits in a real Envoy: how many of a caller's requests pass, and what the others get."""

from __future__ import annotations

import http.client
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from svcgen.gateway.envoy import rate_limits
from svcgen.gateway.envoy.rate_limits import LONGEST_CALLER
from svcgen.gateway.limits import RateLimit
from svcgen.gateway_settings import GatewaySettings
from tests.support.envoy_process import Answer, Gateway, problem, registration, until
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")

SLOW = {"requests": 3, "per": "1h"}
LIMITS: dict[str, list[dict[str, Any]]] = {
    "address": [SLOW],
    "both-methods": [SLOW],
    "route": [{**SLOW, "by": "route"}],
    "header": [{**SLOW, "by": "header:x-key"}],
    "closed": [{"requests": 0, "per": "1h"}],
    "burst": [{"requests": 1, "per": "1h", "burst": 5}],
    "two": [{"requests": 9, "per": "2h", "by": "route"}, SLOW],
    "soon": [{"requests": 2, "per": "2s"}],
    "many": [{"requests": 5, "per": "24h"}],
}
BEHIND_PROXIES = GatewaySettings(max_body="64KiB", timeout="2s", trusted_proxies=1)


def limited(**more: list[dict[str, Any]]) -> Any:
    limits = LIMITS | more
    routes = {name: {"path": f"/{name}", "rate_limit": each} for name, each in limits.items()}
    return registration("orders", open={"path": "/open"}, **routes)


@pytest.fixture(scope="module")
def upstream() -> Upstream:
    return Upstream("orders")


@pytest.fixture(scope="module")
def shop(upstream: Upstream) -> Iterator[Gateway]:
    gateway = Gateway()
    gateway.settings = BEHIND_PROXIES
    try:
        gateway.use({"orders": [upstream.port]}, [limited()])
        until(lambda: gateway.healthy("orders"))
        yield gateway
    finally:
        gateway.end()


def ask(shop: Gateway, path: str, client: str, method: str = "GET", **headers: str) -> Answer:
    """Send a request as the proxy in front sends it for a client."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return shop.send(path, method, headers={"x-forwarded-for": client} | sent)


def statuses(shop: Gateway, count: int, path: str, client: str, **rest: Any) -> list[int]:
    return [ask(shop, path, client, **rest).status for _ in range(count)]


def test_what_is_over_the_limit_is_a_problem(shop: Gateway, upstream: Upstream) -> None:
    assert statuses(shop, 3, "/address/1", "198.51.100.1") == [200] * 3
    before = len(upstream.seen)
    refused = ask(shop, "/address/2", "198.51.100.1")
    problem(refused, 429)
    assert len(upstream.seen) == before
    assert {name: refused.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining")} == {
        "limit": "3",
        "remaining": "0",
    }
    # One request of 3 an hour comes back after 20 minutes.
    assert refused.headers["retry-after"] == "1200"
    assert 0 < int(refused.headers["x-ratelimit-reset"]) <= 1200
    assert ask(shop, "/address/2", "198.51.100.2").status == 200
    assert "x-ratelimit-limit" not in ask(shop, "/open", "198.51.100.1").headers


def test_a_route_has_one_count_for_all_methods(shop: Gateway) -> None:
    methods = ("GET", "POST", "DELETE", "PATCH")
    seen = [ask(shop, "/both-methods", "198.51.100.1", method).status for method in methods]
    assert seen == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("path", "clients", "passed"),
    [
        ("/route", ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"], 3),
        ("/address", [f"2001:db8::{number}" for number in range(5)], 3),
        ("/address", [f"2001:db8:0:{number}::1" for number in range(1, 6)], 5),
        ("/burst", ["198.51.100.1"] * 8, 5),
        ("/two", ["198.51.100.1"] * 5, 3),
        ("/two", [f"198.51.100.{number}" for number in range(2, 12)], 6),
        ("/closed", ["198.51.100.1"], 0),
    ],
)
def test_who_shares_a_count(shop: Gateway, path: str, clients: list[str], passed: int) -> None:
    found = Counter(ask(shop, path, client).status for client in clients)
    assert found == Counter({200: passed, 429: len(clients) - passed}) - Counter()


def test_a_closed_route_names_no_time_to_come_back(shop: Gateway) -> None:
    refused = ask(shop, "/closed", "198.51.100.9")
    problem(refused, 429)
    assert "retry-after" not in refused.headers


@pytest.mark.parametrize(
    ("client", "values"),
    [
        ("198.51.100.1", ["one"]),
        ("198.51.100.2", []),
        ("198.51.100.3", [""]),
        ("198.51.100.4", ["x" * (LONGEST_CALLER + 1)]),
        ("198.51.100.5", ["short", "x" * 5_000]),
        ("198.51.100.6", ["x" * 5_000, "short"]),
        ("198.51.100.7", ["", "short"]),
    ],
    ids=["given", "absent", "empty", "long", "short-and-long", "long-and-short", "empty-and-short"],
)
def test_a_caller_without_the_header_is_limited_too(
    shop: Gateway, client: str, values: list[str]
) -> None:
    assert [repeated(shop, "/header", client, values) for _ in range(4)] == [200] * 3 + [429]


def repeated(shop: Gateway, path: str, client: str, values: list[str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=5)
    connection.putrequest("GET", path)
    for name, value in [("x-forwarded-for", client), *(("x-key", value) for value in values)]:
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_callers_with_a_header_share_no_count(shop: Gateway) -> None:
    seen = [ask(shop, "/header", "198.51.100.20", x_key=f"key-{n}").status for n in range(5)]
    assert seen == [200] * 5


def test_a_limit_is_exact_under_many_clients(shop: Gateway) -> None:
    clients = [f"203.0.113.{number}" for number in range(80)]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda client: ask(shop, "/many", client).status, clients * 8)
    found = Counter(answers)
    assert found == {200: 5 * 80, 429: 3 * 80}


@pytest.mark.parametrize(("limits", "callers"), [(0, 20_000), (20, 10_000), (5_000, 1_000)])
def test_the_counts_of_all_limits_fit_into_memory(limits: int, callers: int) -> None:
    assert rate_limits.callers_of_each(limits) == callers


def test_after_the_named_time_a_request_passes(shop: Gateway) -> None:
    assert statuses(shop, 2, "/soon", "198.51.100.1") == [200] * 2
    while (refused := ask(shop, "/soon", "198.51.100.1")).status == 200:
        pass  # the machine is slow, and the count refills
    time.sleep(int(refused.headers["retry-after"]))
    assert ask(shop, "/soon", "198.51.100.1").status == 200


def test_a_change_of_routes_keeps_the_counts(shop: Gateway, upstream: Upstream) -> None:
    client = "198.51.100.30"
    before = {name: (shop.folder / name).read_bytes() for name in ("lds.json", "limits.json")}
    assert statuses(shop, 3, "/address", client) == [200] * 3
    added = registration("more", more={"path": "/more"})
    try:
        shop.use({"orders": [upstream.port], "more": [upstream.port]}, [limited(), added])
        until(lambda: ask(shop, "/more", client).status == 200)
        assert ask(shop, "/address", client).status == 429
        after = {name: (shop.folder / name).read_bytes() for name in before}
        assert after == before
    finally:
        shop.use({"orders": [upstream.port]}, [limited()])


def test_a_changed_limit_reaches_open_connections(shop: Gateway, upstream: Upstream) -> None:
    listeners = (shop.folder / "lds.json").read_bytes()
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=5)
    try:
        assert on(connection, "/open/1") == 200
        used = connection.sock
        closed = {"requests": 0, "per": "1s"}
        shop.use({"orders": [upstream.port]}, [limited(address=[closed])])
        assert on(connection, "/address") == 429
        assert connection.sock is used
        assert (shop.folder / "lds.json").read_bytes() == listeners
    finally:
        connection.close()
        shop.use({"orders": [upstream.port]}, [limited()])


def on(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_a_tier_has_its_limit(monkeypatch: pytest.MonkeyPatch, upstream: Upstream) -> None:
    """The gateway sets the subject after authentication; here a client sends it."""
    monkeypatch.setattr(RateLimit, "needs_auth", False)
    monkeypatch.setattr(rate_limits, "SUBJECT_HEADER", "x-subject")
    day = {"per": "24h", "by": "subject"}
    tiers = [
        {**day, "requests": 2},
        {**day, "requests": 4, "tier": "gold"},
        {**day, "requests": 0, "tier": "shut"},
    ]
    key, token = "Basic cGFydG5lcnM6eA==", "Bearer x"
    callers = [
        ("partners.gold.ann", key, 4),
        ("partners.gold.bob", key, 4),
        ("partners.gold.ann", token, 2),  # a token's subject, which only looks like a key's
        ("partners.silver.cy", key, 2),
        ("gold.silver.cy", key, 2),
        ("partners.shut.dee", key, 0),
        ("eve", token, 2),
        ("", "", 2),
    ]
    gateway = Gateway()
    try:
        gateway.use({"orders": [upstream.port]}, [limited(address=tiers)])
        until(lambda: gateway.healthy("orders"))
        for subject, authorization, passed in callers:
            sent = {"x-subject": subject, "authorization": authorization}
            headers = {name: value for name, value in sent.items() if value}
            answers = [gateway.send("/address", headers=headers).status for _ in range(6)]
            assert answers.count(200) == passed, (subject, authorization)
    finally:
        gateway.end()


@pytest.mark.parametrize(
    ("proxies", "first", "second", "shared"),
    [
        # On loopback, the address of the connection is that of the client.
        ({}, ("127.0.0.1", ""), ("127.0.0.2", ""), False),
        ({}, ("127.0.0.1", "198.51.100.1"), ("127.0.0.1", "198.51.100.2"), True),
        (
            {"trusted_proxies": 1},
            ("127.0.0.1", "9.9.9.9, 198.51.100.1"),
            ("127.0.0.1", "8.8.8.8, 198.51.100.1"),
            True,
        ),
        (
            {"trusted_proxies": ["127.0.0.1/32"]},
            ("127.0.0.1", "198.51.100.1"),
            ("127.0.0.1", "198.51.100.2"),
            False,
        ),
        (
            {"trusted_proxies": ["127.0.0.1/32"]},
            ("127.0.0.2", "198.51.100.1"),
            ("127.0.0.2", "198.51.100.2"),
            True,
        ),
    ],
    ids=["connections", "no-proxy", "forged-hop", "known-proxy", "unknown-proxy"],
)
def test_whose_address_counts(
    upstream: Upstream,
    proxies: Mapping[str, Any],
    first: tuple[str, str],
    second: tuple[str, str],
    *,
    shared: bool,
) -> None:
    gateway = Gateway()
    gateway.settings = GatewaySettings.model_validate(proxies)
    try:
        once = [{"requests": 1, "per": "24h"}]
        gateway.use({"orders": [upstream.port]}, [limited(address=once)])
        until(lambda: gateway.healthy("orders"))
        assert from_address(gateway, *first) == 200
        assert from_address(gateway, *first) == 429
        assert from_address(gateway, *second) == (429 if shared else 200)
    finally:
        gateway.end()


def test_a_load_balancer_names_the_client(upstream: Upstream) -> None:
    gateway = Gateway()
    gateway.settings = GatewaySettings(proxy_protocol=True)
    try:
        once = [{"requests": 1, "per": "24h"}]
        gateway.use({"orders": [upstream.port]}, [limited(address=once)])
        until(lambda: gateway.healthy("orders"))
        heads = [f"PROXY TCP4 198.51.100.{n} 192.0.2.1 5000 80\r\n" for n in (1, 1, 2)]
        assert [by_proxy(gateway, head) for head in (*heads, "", "")] == [200, 429, 200, 200, 429]
    finally:
        gateway.end()


def by_proxy(gateway: Gateway, head: str) -> int:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(f"{head}GET /address HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return int(connection.recv(4096).split()[1])


def from_address(gateway: Gateway, source: str, forwarded: str) -> int:
    connection = http.client.HTTPConnection(
        "127.0.0.1", gateway.port, timeout=5, source_address=(source, 0)
    )
    connection.request(
        "GET", "/address", headers={"x-forwarded-for": forwarded} if forwarded else {}
    )
    status = connection.getresponse().status
    connection.close()
    return status
