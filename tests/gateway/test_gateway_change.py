"""Replicas and services fail, come and go while requests run."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from svcgen.errors import SvcgenError
from svcgen.gateway.admin import acknowledged, active_requests, begin_drain, read_stats
from svcgen.gateway.apply import steps_to, write_in_order
from tests.support.envoy_process import (
    Answer,
    Gateway,
    free_port,
    load,
    problem,
    registration,
    send,
    until,
)
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def alone() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.end()


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


def gets_none(replica: Upstream) -> bool:
    """Tell whether no request arrives in half a second; one may be late on a busy machine."""
    before = len(replica.seen)
    time.sleep(0.5)
    return len(replica.seen) == before


def test_a_replica_is_added_and_taken_away_by_its_own_file(alone: Gateway) -> None:
    one, other = Upstream("one"), Upstream("other")
    alone.use({"orders": [one.port]})
    until(lambda: alone.healthy("orders") == 1)
    with load(alone.port, "/v1/orders", rate=100) as failed:
        alone.use({"orders": [one.port, other.port]})
        until(lambda: len(other.seen) > 5)
        alone.use({"orders": [other.port]})
        until(lambda: gets_none(one))
    assert failed == []


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [("cds.json", '"1s"', '"soon"'), ("lds.json", '"60s"', '"soon"'), ("rds.json", "404", "7")],
)
def test_a_file_that_envoy_refuses_is_an_error_and_not_kept(
    alone: Gateway, name: str, good: str, bad: str
) -> None:
    routes = {
        "orders": {"path": "/v1/orders"},
        "admin": {"path": "/v1/orders/admin", "expose": "internal"},
    }
    fleet = [registration("orders", **routes)]
    alone.use({"orders": []}, fleet)
    files = alone.files({"orders": []}, fleet)
    before = files[name]
    assert good in before
    files[name] = before.replace(good, bad)
    with pytest.raises(SvcgenError, match=f"refuses {name}, and keeps the one before"):
        write_in_order(alone.folder, files, acknowledged(lambda: read_stats(alone.admin)))
    assert (alone.folder / name).read_text() == before
    problem(alone.send("/v1/orders/admin"), 404)


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


def test_old_limits_hold_until_no_route_names_them(tmp_path: Path) -> None:
    gateway = Gateway()

    def files(by: str) -> dict[str, str]:
        limit = {"requests": 1, "per": "1h", "by": by}
        limited = registration("orders", orders={"path": "/v1/orders", "rate_limit": [limit]})
        return gateway.files({"orders": []}, [limited])

    write_in_order(tmp_path, files("route"), lambda _name: None)
    steps = steps_to(tmp_path, files("client_ip"))
    assert [name for name, _text in steps] == ["limits.json", "rds.json", "limits.json"]
    both, alone = (text for name, text in steps if name == "limits.json")
    assert "orders/orders/route 1" in both
    assert "orders/orders/client_ip 1" in both
    assert "orders/orders/route 1" not in alone


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
