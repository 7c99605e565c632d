"""CORS in a real Envoy: which pages may call a route, and that a preflight request goes nowhere."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

import pytest

from tests.support.envoy_process import Gateway, registration, until
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")

PAGE, OTHER = "https://app.example", "https://admin.example:8443"
CORS = {"origins": [PAGE], "credentials": True, "expose": ["x-total"], "max_age": "5m"}
REGISTRATION = registration(
    "orders",
    orders={"path": "/v1/orders", "methods": ["GET"], "cors": CORS},
    write={"path": "/v1/orders", "methods": ["POST"], "cors": {"origins": [OTHER]}},
    delete={"path": "/v1/orders", "methods": ["DELETE"]},
    closed={"path": "/v1/orders/closed"},
    any={"exact": "/v1/any", "cors": {"origins": ["*"]}},
    above={"path": "/v1/above"},
    below={"path": "/v1/above/below", "methods": ["GET"], "cors": CORS},
    hidden={"path": "/v1/orders/hidden", "expose": "internal"},
    full={
        "path": "/v1/full",
        "cors": CORS,
        "rate_limit": [{"requests": 0, "per": "1s"}],
    },
)


@pytest.fixture(scope="module")
def upstream() -> Upstream:
    return Upstream("orders")


@pytest.fixture(scope="module")
def shop(upstream: Upstream) -> Iterator[Gateway]:
    gateway = Gateway()
    try:
        gateway.use({"orders": [upstream.port]}, [REGISTRATION])
        until(lambda: gateway.healthy("orders"))
        yield gateway
    finally:
        gateway.end()


def ask(
    shop: Gateway, path: str, origins: Sequence[str], asked: str = "", method: str = "OPTIONS"
) -> tuple[int, dict[str, str]]:
    """Send a request with these Origin headers; return status and CORS headers of the answer."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close"]
    lines += [f"Origin: {origin}" for origin in origins]
    lines += [f"Access-Control-Request-Method: {asked}"] if asked else []
    with socket.create_connection(("127.0.0.1", shop.port), timeout=5) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        text = b""
        while b"\r\n\r\n" not in text and (part := connection.recv(65_536)):
            text += part
    head = text.decode().partition("\r\n\r\n")[0].splitlines()
    headers = dict(line.lower().split(": ", 1) for line in head[1:])
    found = {name: each for name, each in headers.items() if name.startswith("access-control-")}
    return int(head[0].split()[1]), found


@pytest.mark.parametrize(
    ("path", "asked", "origin", "allowed"),
    [
        ("/v1/orders", "GET", PAGE, PAGE),
        ("/v1/orders/7?q=1", "GET", PAGE, PAGE),
        ("/v1/orders", "POST", OTHER, OTHER),
        ("/v1/any", "PUT", "https://else.example", "https://else.example"),
        # The route of the asked method answers, whatever the others allow.
        ("/v1/orders", "POST", PAGE, ""),
        ("/v1/orders", "GET", OTHER, ""),
    ],
)
def test_the_gateway_answers_a_preflight(
    shop: Gateway, upstream: Upstream, path: str, asked: str, origin: str, allowed: str
) -> None:
    before = len(upstream.seen)
    status, headers = ask(shop, path, [origin], asked)
    assert (status, headers.get("access-control-allow-origin", "")) == (200, allowed)
    assert asked.lower() in headers["access-control-allow-methods"]
    assert len(upstream.seen) == before


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/orders", "DELETE"),
        ("/v1/orders/closed", "GET"),
        ("/v1/orders/closed/x", "POST"),
        ("/v1/above/below", "POST"),
    ],
)
def test_a_route_without_cors_has_none_of_another(shop: Gateway, path: str, asked: str) -> None:
    _status, headers = ask(shop, path, [PAGE], asked)
    assert headers == {}


def test_an_internal_route_stays_hidden(shop: Gateway) -> None:
    assert ask(shop, "/v1/orders/hidden", [PAGE], "GET") == (404, {})


TRICKS = [
    *("null", "https://app.example.evil", "https://evil.app.example", "https://APP.example"),
    *("http://app.example", "https://app.example:443", "https://app.example:8443", "app.example"),
    *("https://app.example/", "https://app.exampleé", "*", "https://evil?https://app.example"),
]


@pytest.mark.parametrize(
    "origins", [*([origin] for origin in TRICKS), ["https://evil", PAGE], [PAGE, "https://evil"]]
)
def test_no_other_origin_may_read(
    shop: Gateway, upstream: Upstream, origins: Sequence[str]
) -> None:
    before = len(upstream.seen)
    status, headers = ask(shop, "/v1/orders", origins, "GET")
    assert status in {200, 400}
    assert headers.get("access-control-allow-origin") in {
        None,
        *([PAGE] if PAGE in origins else []),
    }
    assert len(upstream.seen) == before
    _status, headers = ask(shop, "/v1/orders", origins, method="GET")
    assert headers.get("access-control-allow-origin") in {
        None,
        *([PAGE] if PAGE in origins else []),
    }


def test_an_answer_names_the_page(shop: Gateway) -> None:
    answer = shop.send("/v1/orders", headers={"origin": PAGE})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-expose-headers"] == "x-total"
    assert answer.headers["vary"] == "Origin"


def test_the_service_adds_no_origin(shop: Gateway) -> None:
    query = "/v1/orders?header=access-control-allow-origin:*"
    sent = {origin: shop.send(query, headers={"origin": origin}) for origin in (PAGE, OTHER)}
    found = {
        origin: each.headers.get("access-control-allow-origin") for origin, each in sent.items()
    }
    assert found == {PAGE: PAGE, OTHER: None}


def test_a_page_can_read_the_refusal(shop: Gateway) -> None:
    answer = shop.send("/v1/full", headers={"origin": PAGE})
    assert answer.status == 429
    assert answer.headers["access-control-allow-origin"] == PAGE


def test_a_plain_options_request_still_reaches_the_service(shop: Gateway) -> None:
    assert shop.send("/v1/orders", "OPTIONS").json["service"] == "orders"
