"""The local engine with real Envoy and PostgreSQL, as a user runs it."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.errors import SvcgenError
from svcgen.files import allow_open_files
from tests.support.local_fleet import LocalWorkspace, load, psql, tiny, until, workspace

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def test_up_answers_through_the_gateway_and_down_leaves_nothing(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders", calls=["catalog"])
    tiny(shop.root, "catalog")
    assert not shop.engine.observe().running
    shop.up()
    assert shop.engine.observe().running
    assert shop.engine.observe().port == shop.port
    assert shop.get("/v1/orders/call/catalog") == (200, shop.get("/v1/catalog")[1])
    rows = [(row.service, row.state) for row in shop.engine.observe().replicas]
    assert rows == [("catalog", "ready"), ("gateway", "ready"), ("orders", "ready")]
    assert shop.pids("orders") == [shop.get("/v1/orders")[1]["pid"]]
    shop.down()
    assert not shop.left()
    assert not shop.engine.observe().running


def test_up_again_touches_nothing_and_a_new_service_loses_no_request(
    shop: LocalWorkspace,
) -> None:
    tiny(shop.root, "orders")
    shop.up()
    before = shop.engine.observe().replicas
    with load(shop.port, "/v1/orders") as statuses:
        shop.up()
        assert shop.engine.observe().replicas == before
        tiny(shop.root, "basket", calls=["orders"])
        shop.up()
        assert shop.get("/v1/basket/call/orders")[0] == 200
        assert (
            tuple(row for row in shop.engine.observe().replicas if row.service != "basket")
            == before
        )
        shutil.rmtree(shop.root / "basket")
        shop.up()
        assert shop.get("/v1/basket")[0] == 404
        assert shop.engine.observe().replicas == before
    assert list(statuses) == [200]


def test_up_of_one_leaves_a_broken_one_alone(shop: LocalWorkspace) -> None:
    folder = tiny(shop.root, "orders")
    shop.up()
    (folder / "broken").touch()
    os.kill(shop.pids("orders")[0], 9)
    tiny(shop.root, "catalog")
    shop.up(only="catalog")
    assert shop.get("/v1/catalog")[0] == 200
    assert shop.rows("orders")[0].state != "ready"


def test_scale_up_and_down_under_load(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    shop.up()
    first = shop.pids("orders")
    with load(shop.port, "/v1/orders") as statuses:
        shop.up(orders=2)
        assert set(first) < set(shop.pids("orders"))
        seen = {shop.get("/v1/orders")[1]["pid"] for _ in range(50)}
        assert seen == set(shop.pids("orders"))
        shop.up()
        assert len(shop.pids("orders")) == 2, "without --scale the number stays"
        shop.up(orders=1)
        assert shop.pids("orders") == first
    assert list(statuses) == [200]


def test_a_killed_replica_is_replaced_and_no_request_is_lost(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    (shop.root / "orders" / "parent").touch()
    shop.up(orders=2)
    killed = shop.rows("orders")[0]
    with load(shop.port, "/v1/orders") as statuses:
        os.kill(killed.pid, 9)
        until(lambda: shop.rows("orders")[0].restarts == 1)
        until(lambda: shop.rows("orders")[0].state == "ready")
    assert list(statuses) == [200]
    assert shop.rows("orders")[0].pid not in {0, killed.pid}
    grandchildren = [
        process for process in shop.left() if process.replica == f"orders-{killed.number}"
    ]
    assert len(grandchildren) == 3, "make, the server and its child; nothing of the killed one"


def test_a_replica_that_keeps_crashing_is_tried_less_and_less_often(shop: LocalWorkspace) -> None:
    folder = tiny(shop.root, "orders")
    shop.up()
    (folder / "broken").touch()
    os.kill(shop.pids("orders")[0], 9)
    until(lambda: shop.rows("orders")[0].restarts >= 2)
    assert shop.rows("orders")[0].state in {"restarting", "starting"}
    assert shop.get("/v1/orders")[0] == 503
    (folder / "broken").unlink()
    shop.up()
    assert shop.get("/v1/orders")[0] == 200


def test_an_up_that_fails_leaves_nothing(shop: LocalWorkspace) -> None:
    tiny(shop.root, "catalog")
    (tiny(shop.root, "orders") / "broken").touch()
    with pytest.raises(SvcgenError) as error:
        shop.up()
    assert error.value.problem.startswith("orders-1 ended before it was ready (exit code 1).")
    assert "DATABASE_URL: missing" in error.value.problem
    assert not shop.engine.observe().running
    assert not shop.left()


def test_a_taken_port_is_named_with_its_program(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    with socket.create_server(("127.0.0.1", shop.port)), pytest.raises(SvcgenError) as error:
        shop.up()
    assert f"Port {shop.port} is in use by " in error.value.problem
    assert f"(pid {os.getpid()})" in error.value.problem
    assert "svcgen up --port " in error.value.advice


def test_two_workspaces_run_side_by_side(
    shop: LocalWorkspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = LocalWorkspace(tmp_path_factory.mktemp("other"))
    for fleet in (shop, other):
        tiny(fleet.root, "orders", calls=["catalog"])
        tiny(fleet.root, "catalog")
    try:
        shop.up()
        other.up()
        shop.down()
        assert other.get("/v1/orders/call/catalog")[0] == 200
    finally:
        other.down()
    assert not other.left()


def test_each_service_has_a_database_of_its_own(shop: LocalWorkspace) -> None:
    folders = [tiny(shop.root, name, database="postgres") for name in ("orders", "order-items")]
    shop.up()
    first, second = ((folder / "migrated").read_text() for folder in folders)
    assert psql(first, "CREATE TABLE t AS SELECT 7 AS seven") == "SELECT 1"
    assert "permission denied" in psql(first[:-6] + "order-items", "SELECT 1")
    assert "password authentication failed" in psql(
        first.replace("orders:", "orders:x"), "SELECT 1"
    )
    assert shop.rows("database")[0].state == "ready"
    secret = shop.root / ".svcgen" / "postgres.json"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    shop.down()
    shop.up()
    again = (folders[0] / "migrated").read_text()
    assert psql(again, "SELECT seven FROM t") == "7", "the data stays"
    assert second.startswith("postgresql://order-items:")
    shop.engine.down(shop.report, volumes=True)
    assert not (shop.root / ".svcgen" / "postgres").exists()


def test_a_workspace_with_a_long_path(tmp_path: Path) -> None:
    shop = LocalWorkspace(tmp_path / ("deep-" * 20) / ("below-" * 20))
    tiny(shop.root, "orders")
    try:
        shop.up()
        assert shop.get("/v1/orders")[0] == 200
        short = Path((shop.root / ".svcgen" / "sockets").read_text().strip())
        assert stat.S_IMODE((short / "supervisor.sock").stat().st_mode) == 0o600
    finally:
        shop.down()
    assert not short.exists()
    assert not shop.left()


def test_many_idle_clients_leave_room_for_others(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, before[1]))  # that of most shells
    try:
        shop.up()
        allow_open_files(4_000)
        with contextlib.ExitStack() as clients:
            for _ in range(1_500):
                idle = socket.create_connection(("127.0.0.1", shop.port), timeout=5)
                clients.enter_context(contextlib.closing(idle))
            assert [shop.get("/v1/orders")[0] for _ in range(5)] == [200] * 5
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
