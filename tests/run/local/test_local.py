"""The local engine with real Envoy and PostgreSQL, as a user meets it."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.errors import SvcgenError
from tests.support.local_fleet import LocalWorkspace, load, psql, tiny, until, workspace

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def test_up_answers_through_the_gateway_and_down_leaves_nothing(fleets: LocalWorkspace) -> None:
    tiny(fleets.root, "orders", calls=["catalog"])
    tiny(fleets.root, "catalog")
    assert not fleets.engine.running()
    fleets.up()
    assert fleets.engine.running()
    assert fleets.engine.port() == fleets.port
    assert fleets.get("/v1/orders/call/catalog") == (200, fleets.get("/v1/catalog")[1])
    rows = [(row.service, row.state) for row in fleets.engine.ps()]
    assert rows == [("catalog", "ready"), ("gateway", "ready"), ("orders", "ready")]
    assert fleets.pids("orders") == [fleets.get("/v1/orders")[1]["pid"]]
    fleets.down()
    assert not fleets.left()
    assert not fleets.engine.running()


def test_up_again_touches_nothing_and_a_new_service_loses_no_request(
    fleets: LocalWorkspace,
) -> None:
    tiny(fleets.root, "orders")
    fleets.up()
    before = fleets.engine.ps()
    with load(fleets.port, "/v1/orders") as statuses:
        fleets.up()
        assert fleets.engine.ps() == before
        tiny(fleets.root, "basket", calls=["orders"])
        fleets.up()
        assert fleets.get("/v1/basket/call/orders")[0] == 200
        assert [row for row in fleets.engine.ps() if row.service != "basket"] == before
        shutil.rmtree(fleets.root / "basket")
        fleets.up()
        assert fleets.get("/v1/basket")[0] == 404
        assert fleets.engine.ps() == before
    assert list(statuses) == [200]


def test_up_of_one_leaves_a_broken_one_alone(fleets: LocalWorkspace) -> None:
    folder = tiny(fleets.root, "orders")
    fleets.up()
    (folder / "broken").touch()
    os.kill(fleets.pids("orders")[0], 9)
    tiny(fleets.root, "catalog")
    fleets.up(only="catalog")
    assert fleets.get("/v1/catalog")[0] == 200
    assert fleets.rows("orders")[0].state != "ready"


def test_scale_up_and_down_under_load(fleets: LocalWorkspace) -> None:
    tiny(fleets.root, "orders")
    fleets.up()
    first = fleets.pids("orders")
    with load(fleets.port, "/v1/orders") as statuses:
        fleets.up(orders=2)
        assert set(first) < set(fleets.pids("orders"))
        seen = {fleets.get("/v1/orders")[1]["pid"] for _ in range(50)}
        assert seen == set(fleets.pids("orders"))
        fleets.up()
        assert len(fleets.pids("orders")) == 2, "without --scale the number stays"
        fleets.up(orders=1)
        assert fleets.pids("orders") == first
    assert list(statuses) == [200]


def test_a_killed_replica_is_replaced_and_nobody_notices(fleets: LocalWorkspace) -> None:
    tiny(fleets.root, "orders")
    (fleets.root / "orders" / "parent").touch()
    fleets.up(orders=2)
    killed = fleets.rows("orders")[0]
    with load(fleets.port, "/v1/orders") as statuses:
        os.kill(killed.pid, 9)
        until(lambda: fleets.rows("orders")[0].restarts == 1)
        until(lambda: fleets.rows("orders")[0].state == "ready")
    assert list(statuses) == [200]
    assert fleets.rows("orders")[0].pid not in {0, killed.pid}
    grandchildren = [one for one in fleets.left() if one.replica == f"orders-{killed.number}"]
    assert len(grandchildren) == 3, "make, the server and its child; nothing of the killed one"


def test_a_replica_that_keeps_crashing_is_tried_less_and_less_often(fleets: LocalWorkspace) -> None:
    folder = tiny(fleets.root, "orders")
    fleets.up()
    (folder / "broken").touch()
    os.kill(fleets.pids("orders")[0], 9)
    until(lambda: fleets.rows("orders")[0].restarts >= 2)
    assert fleets.rows("orders")[0].state in {"restarting", "starting"}
    assert fleets.get("/v1/orders")[0] == 503
    (folder / "broken").unlink()
    fleets.up()
    assert fleets.get("/v1/orders")[0] == 200


def test_an_up_that_fails_leaves_nothing(fleets: LocalWorkspace) -> None:
    tiny(fleets.root, "catalog")
    (tiny(fleets.root, "orders") / "broken").touch()
    with pytest.raises(SvcgenError) as error:
        fleets.up()
    assert error.value.problem.startswith("orders-1 ended before it was ready (exit code 1).")
    assert "DATABASE_URL: missing" in error.value.problem
    assert not fleets.engine.running()
    assert not fleets.left()


def test_a_taken_port_is_named_with_who_has_it(fleets: LocalWorkspace) -> None:
    tiny(fleets.root, "orders")
    with socket.create_server(("127.0.0.1", fleets.port)), pytest.raises(SvcgenError) as error:
        fleets.up()
    assert f"Port {fleets.port} is in use by " in error.value.problem
    assert f"(pid {os.getpid()})" in error.value.problem
    assert "`svcgen up --port " in error.value.advice


def test_two_workspaces_run_side_by_side(
    fleets: LocalWorkspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = LocalWorkspace(tmp_path_factory.mktemp("other"))
    for each in (fleets, other):
        tiny(each.root, "orders", calls=["catalog"])
        tiny(each.root, "catalog")
    try:
        fleets.up()
        other.up()
        fleets.down()
        assert other.get("/v1/orders/call/catalog")[0] == 200
    finally:
        other.down()
    assert not other.left()


def test_each_service_has_a_database_of_its_own(fleets: LocalWorkspace) -> None:
    folders = [tiny(fleets.root, name, database="postgres") for name in ("orders", "order-items")]
    fleets.up()
    one, other = ((folder / "migrated").read_text() for folder in folders)
    assert psql(one, "CREATE TABLE t AS SELECT 7 AS seven") == "SELECT 1"
    assert "permission denied" in psql(one[:-6] + "order-items", "SELECT 1")
    assert "password authentication failed" in psql(one.replace("orders:", "orders:x"), "SELECT 1")
    assert fleets.rows("database")[0].state == "ready"
    secret = fleets.root / ".svcgen" / "postgres.json"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    fleets.down()
    fleets.up()
    again = (folders[0] / "migrated").read_text()
    assert psql(again, "SELECT seven FROM t") == "7", "data stay"
    assert other.startswith("postgresql://order-items:")
    fleets.engine.down(fleets.report, volumes=True)
    assert not (fleets.root / ".svcgen" / "postgres").exists()


def test_a_workspace_with_a_long_path(tmp_path: Path) -> None:
    fleets = LocalWorkspace(tmp_path / ("deep-" * 20) / ("below-" * 20))
    tiny(fleets.root, "orders")
    try:
        fleets.up()
        assert fleets.get("/v1/orders")[0] == 200
        short = Path((fleets.root / ".svcgen" / "sockets").read_text().strip())
        assert stat.S_IMODE((short / "supervisor.sock").stat().st_mode) == 0o600
    finally:
        fleets.down()
    assert not short.exists()
    assert not fleets.left()
