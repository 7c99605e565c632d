"""The gateway is a real Envoy with our files: what it lets through, answers itself and survives."""

from __future__ import annotations

import json
import socket
import stat
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from svcgen.contract.checks.logs import MEMBERS
from svcgen.gateway.admin import read_stats
from svcgen.gateway.envoy.listeners import MAX_HEADERS_KIB
from svcgen.gateway.envoy.removed_headers import NAMES
from tests.support.envoy_process import (
    SETTINGS,
    Gateway,
    free_port,
    problem,
    registration,
    send,
    until,
)
from tests.support.raw_http import exchange, exchange_http2
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")

REGISTRATIONS = (
    registration(
        "orders",
        orders={"path": "/v1/orders", "methods": ["GET", "POST"], "timeout": "1s"},
        once={"path": "/v1/once", "retry": {"attempts": 0}},
    ),
    registration(
        "catalog", catalog={"path": "/v1/catalog"}, hidden={"path": "/h", "expose": "internal"}
    ),
)


@pytest.fixture(scope="module")
def upstreams() -> dict[str, Upstream]:
    return {name: Upstream(name) for name in ("orders", "catalog")}


@pytest.fixture(scope="module")
def shop(upstreams: dict[str, Upstream]) -> Iterator[Gateway]:
    gateway = Gateway({"catalog": free_port()})
    try:
        gateway.use({name: [one.port] for name, one in upstreams.items()}, REGISTRATIONS)
        until(lambda: gateway.healthy("orders") and gateway.healthy("catalog"))
        yield gateway
    finally:
        gateway.end()


def raw(port: int, text: str, seconds: float = 5) -> str:
    """Send bytes as they are and return the first line of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(text.encode("latin-1"))
        return connection.recv(4096).decode("latin-1").partition("\r\n")[0]


def test_a_request_reaches_its_service(shop: Gateway) -> None:
    answer = shop.send("/v1/orders/7?q=1")
    assert answer.json["service"] == "orders"
    assert answer.json["path"] == "/v1/orders/7?q=1"
    assert answer.json["headers"]["x-request-id"]
    assert not [name for name in answer.headers if name.startswith("x-envoy")]


def test_an_answer_of_the_service_passes_unchanged(shop: Gateway) -> None:
    answer = shop.send("/v1/orders?status=404")
    assert (answer.status, answer.json["service"]) == (404, "orders")


def test_a_method_that_nobody_takes_is_refused_with_those_that_are(shop: Gateway) -> None:
    answer = shop.send("/v1/orders", "DELETE")
    problem(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST"])
def test_methods_that_follow_from_others_pass(shop: Gateway, method: str) -> None:
    assert shop.send("/v1/orders", method).status == 200


@pytest.mark.parametrize("path", ["/nothing", "/", "/v1/ordersx", "/h", "/docs", "/openapi.json"])
def test_what_nobody_claims_is_a_problem(shop: Gateway, path: str) -> None:
    problem(shop.send(path), 404)


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/v1/x/%2e%2e/orders/1", "/v1/orders/1"),
        ("/v1//orders", "/v1/orders"),
        ("/v1/catalog/../orders", "/v1/orders"),
        ("/v1/orders/..%2e/x", "/v1/orders/.../x"),
        ("/v1/orders%2f..%2fcatalog", ""),
        ("/v1/orders%5c..%5ccatalog", ""),
        ("/v1/orders/%00", ""),
        ("/v1/catalog/../../h", ""),
    ],
)
def test_a_path_is_routed_as_the_service_sees_it(shop: Gateway, path: str, seen: str) -> None:
    answer = shop.send(path)
    if seen:
        assert answer.json["path"] == seen
    else:
        assert answer.status in {400, 404}


@pytest.mark.parametrize(
    "request_text",
    [
        "GET /v1/orders HTTP/1.1\r\nHost: x\r\nx_auth_subject: me\r\n\r\n",
        "GET /v1/orders HTTP/1.1\r\n\r\n",
        "GET /v1/orders HTTP/1.0\r\n\r\n",
        "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "GET /v1/orders HTTP/1.1\r\nHost: x\r\nx: " + "a" * 40_000 + "\r\n\r\n",
        "GET /v1/orders HTTP/1.1\r\nHost: x\r\n" + "a: b\r\n" * 200 + "\r\n",
        "POST /v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1\nx\r\n0\r\n\r\n",
        "POST /v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1\r\nx\n0\r\n\r\n",
        "CONNECT /v1/orders HTTP/1.1\r\nHost: x\r\n\r\n",
        "GARBAGE\r\n\r\n",
    ],
    ids=lambda text: text[:60].replace("\r\n", " "),
)
def test_a_hostile_request_goes_nowhere(
    shop: Gateway, upstreams: dict[str, Upstream], request_text: str
) -> None:
    before = len(upstreams["orders"].seen)
    line = raw(shop.port, request_text)
    assert line.split(" ")[1][0] == "4", line
    assert len(upstreams["orders"].seen) == before


def test_headers_up_to_32_kib_reach_the_service(shop: Gateway) -> None:
    most = (MAX_HEADERS_KIB << 10) - 200  # less the lines that a client sends as well
    for size, status in ((most, 200), (most + 400, 431)):
        (reply,) = exchange(shop.port, [("GET", "/v1/orders")], [("a", "b" * size)])
        assert reply.status == status
        fields = [(f"a{number}", "b" * (size // 4)) for number in range(4)]
        second = exchange_http2(shop.port, ("GET", "/v1/orders"), fields)
        assert (second and second.status) == (200 if status == 200 else None)  # None: a reset


def test_a_large_body_is_refused(shop: Gateway) -> None:
    assert shop.send("/v1/orders", "POST", body=b"x" * SETTINGS.max_body_bytes).status == 200
    problem(shop.send("/v1/orders", "POST", body=b"x" * (SETTINGS.max_body_bytes + 1)), 413)


def test_a_large_body_of_unknown_length_is_refused(shop: Gateway) -> None:
    chunk = f"{1 << 15:x}\r\n{'x' * (1 << 15)}\r\n"
    head = "POST /v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(shop.port, head + chunk * 3 + "0\r\n\r\n").startswith("HTTP/1.1 413")


IDENTITY = {"X-Auth-Subject": "root", "x-auth-scopes": "all", "x-auth-anything": "1"}
PASSED = ("authorization", "baggage", "cookie", "x-forwarded-port")


@pytest.mark.parametrize(
    "name",
    [
        *IDENTITY,
        *("X-Envoy-Whatever", "x-envoy-peer-metadata", "x-envoy-attempt-count"),
        *("x-envoy-original-path", "x-envoy-original-dst-host", "x-envoy-overloaded"),
        *NAMES,
    ],
)
def test_a_header_that_a_framework_would_believe_is_removed(shop: Gateway, name: str) -> None:
    twice = [(name, "root"), (name.upper(), "root"), *((each, "kept") for each in PASSED)]
    (reply,) = exchange(shop.port, [("GET", "/v1/catalog")], twice)
    kept = json.loads(reply.body)["headers"]
    assert "root" not in kept.values()
    assert {each for each in PASSED if kept.get(each) == "kept"} == set(PASSED)


def test_the_last_forwarded_address_is_the_gateways(shop: Gateway) -> None:
    sent = {"x-forwarded-for": "192.0.2.1", "x-forwarded-proto": "https"}
    kept = shop.send("/v1/catalog", headers=sent).json["headers"]
    assert kept["x-forwarded-for"].split(",")[0] == "192.0.2.1"
    assert len(kept["x-forwarded-for"].split(",")) == 2
    assert kept["x-forwarded-proto"] == "http"


def test_services_pass_identity_on_to_one_another(shop: Gateway) -> None:
    inside = send(shop.internal["catalog"], "/h", headers=IDENTITY)
    assert inside.json["headers"]["x-auth-subject"] == "root"


def test_a_service_learns_how_long_its_caller_waits(shop: Gateway) -> None:
    given = {"x-envoy-expected-rq-timeout-ms": "700"}
    client = shop.send("/v1/orders", headers=given).json["headers"]
    assert client["x-envoy-expected-rq-timeout-ms"] == "1000"  # of the route
    service = send(shop.internal["catalog"], "/h", headers=given).json["headers"]
    assert service["x-envoy-expected-rq-timeout-ms"] == "700"


def test_a_client_cannot_steer_the_gateway(shop: Gateway) -> None:
    steering = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-max-retries": "9"}
    assert shop.send("/v1/orders?slow=0.1", headers=steering).status == 200


def test_a_slow_answer_is_a_timeout(shop: Gateway) -> None:
    start = time.monotonic()
    problem(shop.send("/v1/orders?slow=10"), 504)
    assert time.monotonic() - start < 8


BIG = SETTINGS.max_body_bytes


@pytest.mark.parametrize(
    ("request_line", "length", "status", "tries"),
    [
        ("GET /v1/orders/a?reset=1", 0, 200, 2),
        ("GET /v1/orders/b?reset=2", 0, 200, 3),
        ("GET /v1/orders/c?reset=3", 0, 503, 3),
        ("GET /v1/orders/d?status=503", 0, 503, 3),
        ("GET /v1/orders/e?status=500", 0, 500, 1),
        ("POST /v1/orders/f?reset=1", 0, 503, 1),
        ("POST /v1/orders/g?status=503", 0, 503, 1),
        ("PUT /v1/catalog/h?reset=1", 0, 200, 2),
        ("PUT /v1/catalog/k?reset=1", 40_000, 200, 2),
        ("PUT /v1/catalog/l?reset=1", BIG, 200, 2),
        ("DELETE /v1/catalog/i?reset=1", 0, 200, 2),
        ("PATCH /v1/catalog/j?reset=1", 0, 503, 1),
        ("GET /v1/once?reset=1", 0, 503, 1),
    ],
)
def test_only_what_may_be_done_twice_is_tried_again(
    shop: Gateway,
    upstreams: dict[str, Upstream],
    request_line: str,
    length: int,
    status: int,
    tries: int,
) -> None:
    method, path = request_line.split()
    assert shop.send(path, method, body=b"x" * length or None).status == status
    seen = [one for upstream in upstreams.values() for one in upstream.seen]
    assert seen.count(request_line) == tries


@pytest.mark.parametrize("length", [40_000, BIG])
def test_a_call_between_services_is_tried_again_with_its_body(shop: Gateway, length: int) -> None:
    path = f"/v1/catalog/{uuid.uuid4()}?reset=1"
    answer = send(shop.internal["catalog"], path, "PUT", b"x" * length)
    assert (answer.status, answer.json["body"]) == (200, length)


TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("sent", "joined"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", True),
        ("", False),
        ("00-1-2-01", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"ff-{TRACE}-{SPAN}-01", False),
        (f"00-{TRACE.upper()}-{SPAN}-01", False),
        (f"00-{TRACE}-{SPAN}-01-x", False),
        (f"00-{TRACE[1:]}-0{SPAN}-01", False),
        ("x" * 20_000, False),
    ],
    ids=lambda value: str(value)[:60],
)
def test_the_gateway_starts_or_joins_a_trace(shop: Gateway, sent: str, joined: bool) -> None:
    path = f"/v1/orders/{uuid.uuid4()}"
    headers = {"traceparent": sent} if sent else {}
    received = shop.send(path, headers=headers).json["headers"]
    version, trace, parent, flags = received["traceparent"].split("-")
    assert (version, len(trace), len(parent)) == ("00", 32, 16)
    assert flags == (sent[-2:] if joined else "01")
    assert (trace == TRACE) == joined
    assert parent != SPAN
    line = logged(shop, path)
    ids = (line["trace_id"], line["span_id"], line["request_id"])
    assert ids == (trace, parent, received["x-request-id"])


def test_a_client_cannot_make_a_line_long(shop: Gateway) -> None:
    path = f"/v1/orders/{uuid.uuid4()}{'y' * 20_000}"
    shop.send(path, headers={"traceparent": "x" * 10_000, "x-request-id": "z" * 1_000})
    assert len(json.dumps(logged(shop, path[:100]))) < 2_500


def logged(shop: Gateway, path: str) -> dict[str, Any]:
    """Return the line of the log whose path begins so."""
    until(lambda: path in shop.log.read_text())
    lines = [line for line in shop.log.read_text().splitlines() if path in line]
    found: dict[str, Any] = json.loads(lines[0])
    return found


def test_each_request_is_a_line_without_its_query(shop: Gateway) -> None:
    shop.send("/v1/orders/logged?token=secret")
    until(lambda: "/v1/orders/logged" in shop.log.read_text())
    text = shop.log.read_text()
    line = json.loads(next(line for line in text.splitlines() if "/v1/orders/logged" in line))
    logged = (line["http_request_method"], line["http_response_status_code"], line["upstream"])
    assert logged == ("GET", 200, "orders")
    assert {"time", "level", "msg", "service", "trace_id", "span_id", "request_id"} <= set(line)
    assert all(isinstance(line[name], kind) for name, kind in MEMBERS.items())
    assert "secret" not in text
    assert "/readyz" not in text


def test_the_admin_socket_is_the_owners_alone(shop: Gateway) -> None:
    assert stat.S_IMODE(shop.admin.stat().st_mode) == 0o600
    address = json.loads((shop.folder / "envoy.json").read_text())["admin"]["address"]
    assert list(address) == ["pipe"]


def test_a_second_gateway_does_not_share_the_port(shop: Gateway) -> None:
    second = Gateway()
    second.port = shop.port
    try:
        second.use({"orders": []})
        until(lambda: "error" in second.log.read_text().lower())
        assert read_stats(second.admin)["listener_manager.lds.update_rejected"] > 0
    finally:
        second.end()
