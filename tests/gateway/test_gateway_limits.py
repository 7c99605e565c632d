"""One replica that fails, or one client that takes much: what is left for the others."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from svcgen.files import allow_open_files
from svcgen.gateway.admin import ask
from svcgen.gateway.envoy import clusters
from svcgen.gateway.envoy.bootstrap import MAX_HEAP_BYTES, fit_connections
from svcgen.gateway.envoy.xds import resources
from svcgen.gateway_settings import GatewaySettings
from tests.support.envoy_process import Gateway, load, problem, registration, send, until
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")

MANY = 1_150  # more than the connections that the gateway opens to one service
HEAD = b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    allow_open_files(10_000)
    alone = Gateway()
    yield alone
    alone.end()


@pytest.fixture
def pair(gateway: Gateway) -> tuple[Upstream, Upstream]:
    """Two replicas behind a route like the template's: a try takes at most half the timeout."""
    one, other = Upstream("one"), Upstream("other")
    entry = {"path": "/v1/orders", "retry": {"attempts": 2, "per_try": "1s"}}
    gateway.use({"orders": [one.port, other.port]}, [registration("orders", orders=entry)])
    until(lambda: gateway.healthy("orders") == 2)
    return one, other


def answers_503(replica: Upstream) -> None:
    replica.status = 503


def hangs(replica: Upstream) -> None:
    replica.runs.clear()


@pytest.mark.parametrize("fails", [answers_503, hangs, Upstream.kill])
def test_a_replica_that_fails_costs_no_get(
    gateway: Gateway, pair: tuple[Upstream, Upstream], fails: Callable[[Upstream], None]
) -> None:
    one, other = pair
    with load(gateway.port, "/v1/orders", rate=200) as failed:
        time.sleep(0.5)
        fails(one)
        time.sleep(5)
    one.runs.set()
    assert failed == []
    assert one.seen
    assert other.seen


def test_a_retry_finds_the_other_replica(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    never = {"enforcing_consecutive_5xx": 0, "enforcing_consecutive_gateway_failure": 0}
    monkeypatch.setattr(clusters, "_EJECTION", never)
    # Within the slow start the replicas take turns.
    monkeypatch.delitem(clusters._LEAST_REQUEST["typed_config"], "slow_start_config")
    one, other = Upstream("one"), Upstream("other")
    entry = {"path": "/v1/orders", "retry": {"attempts": 1}}
    gateway.use({"orders": [one.port, other.port]}, [registration("orders", orders=entry)])
    until(lambda: gateway.healthy("orders") == 2)
    answers_503(one)
    # Drawn at most three times, the other one is missed by a sixteenth of all retries.
    assert Counter(gateway.send("/v1/orders").status for _ in range(300)) == {200: 300}
    assert one.seen


def test_a_replica_that_fails_is_left_out(
    gateway: Gateway, pair: tuple[Upstream, Upstream]
) -> None:
    one, _other = pair
    answers_503(one)
    with load(gateway.port, "/v1/orders", rate=50, method="POST") as failed:
        time.sleep(8)
    # Five until it is left out, and five when it is tried again after 5 s. An ejection that the
    # health check ends costs about five a second.
    assert 5 <= len(failed) <= 20, failed
    assert "ejections_enforced_consecutive_gateway_failure: 0" not in ask(gateway.admin, "/stats")


def test_a_thousand_requests_at_once_are_answered(gateway: Gateway) -> None:
    entry = {"path": "/v1/orders", "timeout": "30s"}  # the machine may be slow; nothing is refused
    gateway.use({"orders": [Upstream("orders").port]}, [registration("orders", orders=entry)])
    until(lambda: gateway.healthy("orders"))
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(contextlib.closing(socket.create_connection(address, timeout=40)))
            for address in [("127.0.0.1", gateway.port)] * MANY
        ]
        for client in clients:
            client.sendall(b"GET /v1/orders?slow=0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
        with ThreadPoolExecutor(8) as pool:
            lines = pool.map(lambda client: client.recv(4096)[:12], clients)
    assert Counter(lines) == {b"HTTP/1.1 200": MANY}


def test_slow_bodies_take_no_service_away(gateway: Gateway) -> None:
    upstream = Upstream("orders")
    gateway.use({"orders": [upstream.port]})
    until(lambda: gateway.healthy("orders"))
    with contextlib.ExitStack() as stack:
        for _ in range(MANY):
            slow = socket.create_connection(("127.0.0.1", gateway.port), timeout=5)
            stack.enter_context(contextlib.closing(slow)).sendall(HEAD)
        until(lambda: active(gateway) >= MANY)
        began = time.monotonic()
        seen = Counter(gateway.send("/v1/orders/other").status for _ in range(50))
        assert seen == {200: 50}
        assert time.monotonic() - began < 5
    assert not [line for line in upstream.seen if line.startswith("POST")]


def test_bodies_that_do_not_arrive_give_their_memory_back(gateway: Gateway) -> None:
    gateway.settings = GatewaySettings()
    gateway.use({"orders": [Upstream("orders").port]})
    text = (gateway.folder / "envoy.json").read_text()
    (gateway.folder / "envoy.json").write_text(text.replace(str(MAX_HEAP_BYTES), str(150 << 20)))
    gateway.restart(10_000)
    until(lambda: gateway.healthy("orders"))
    head = HEAD.replace(b": 1000", b": 1000000")
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            half = socket.create_connection(("127.0.0.1", gateway.port), timeout=5)
            stack.enter_context(contextlib.closing(half)).sendall(head + b"x" * 900_000)
        until(lambda: gateway.send("/v1/orders").status == 200)


def active(gateway: Gateway) -> int:
    text = ask(gateway.admin, "/stats?filter=^http.edge.downstream_rq_active$")
    return int(text.split(": ")[1])


def test_connections_end_before_the_files_do(gateway: Gateway) -> None:
    files = 400
    text = fit_connections(gateway.files({})["envoy.json"], files)
    assert '"max_active_downstream_connections": 150' in text
    gateway.use({"orders": [Upstream("orders").port]})
    until(lambda: gateway.healthy("orders"))
    (gateway.folder / "envoy.json").write_text(text)
    gateway.restart(files)
    until(lambda: gateway.healthy("orders"))
    with contextlib.ExitStack() as stack:
        open_one = stack.enter_context(connected(gateway))
        assert status(open_one) == 200
        for _ in range(2 * files):
            idle = socket.create_connection(("127.0.0.1", gateway.port), timeout=5)
            stack.enter_context(contextlib.closing(idle))
        assert [status(open_one) for _ in range(5)] == [200] * 5
    until(lambda: send(gateway.port, "/v1/orders").status == 200)


def connected(gateway: Gateway) -> contextlib.closing[http.client.HTTPConnection]:
    return contextlib.closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5))


def status(connection: http.client.HTTPConnection, body: bytes | None = None) -> int:
    connection.request("POST" if body else "GET", "/v1/orders", body)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_a_changed_limit_reaches_open_connections(gateway: Gateway) -> None:
    upstream = Upstream("orders")
    gateway.use({"orders": [upstream.port]})
    until(lambda: gateway.healthy("orders"))
    before = (gateway.folder / "lds.json").read_bytes()
    with connected(gateway) as kept:
        assert status(kept, b"x" * 2_000) == 200
        used = kept.sock
        gateway.settings = GatewaySettings(max_body="1KiB", timeout="2s")
        gateway.use({"orders": [upstream.port]})
        assert kept.sock is used
        assert status(kept, b"x" * 2_000) == 413
    assert (gateway.folder / "lds.json").read_bytes() == before


def test_a_changed_listener_ends_open_connections(gateway: Gateway) -> None:
    gateway.use({"orders": [Upstream("orders").port]})
    until(lambda: gateway.healthy("orders"))
    listeners = (gateway.folder / "lds.json").read_text()
    with connected(gateway) as kept:
        assert status(kept) == 200
        gateway.replace("lds.json", listeners.replace('_headers_kb": 32', '_headers_kb": 31'))
        kept.request("GET", "/v1/orders")
        assert kept.getresponse().headers["connection"] == "close"


def test_a_503_says_what_is_missing(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"max_connections": 1, "max_pending_requests": 1, "max_requests": 1}
    monkeypatch.setattr(clusters, "_BREAKER", limits)
    upstream = Upstream("orders")
    entry = {"path": "/v1/orders", "timeout": "5s", "retry": {"attempts": 0}}
    fleet = [registration("orders", orders=entry)]
    gateway.use({"orders": [upstream.port], "empty": []}, fleet)
    until(lambda: gateway.healthy("orders"))
    with ThreadPoolExecutor(20) as pool:
        crowd = list(pool.map(lambda _: gateway.send("/v1/orders?slow=0.3"), range(20)))
    refused = next(answer for answer in crowd if answer.status == 503)
    found = {"breaker": refused, "replica": gateway.send("/v1/empty")}
    found["connection"] = gateway.send("/v1/orders?reset=9")
    gateway.replace("cds.json", resources("cluster.v3.Cluster", []))
    found["cluster"] = gateway.send("/v1/orders")
    for answer in found.values():
        problem(answer, 503)
        assert int(answer.headers["retry-after"]) >= 1
    assert {why: answer.json["detail"] for why, answer in found.items()} == {
        "breaker": "The gateway already has as many requests for the service as it takes.",
        "replica": "No replica of the service is ready.",
        "connection": "The connection to the service failed.",
        "cluster": "The gateway does not know the service yet.",
    }
