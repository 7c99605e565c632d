"""Independent deployment: one service is replaced under load without a lost request."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.errors import SvcgenError
from tests.support.local_fleet import LocalWorkspace, load, tiny, workspace
from tests.support.repository import NewService

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def test_replace_under_load_loses_no_request(shop: LocalWorkspace) -> None:
    folder = tiny(shop.root, "orders")
    tiny(shop.root, "catalog")
    shop.up(orders=2)
    before = shop.pids("orders")
    others = shop.rows("catalog") + shop.rows("gateway")
    (folder / "build.txt").write_text("2")
    with load(shop.port, "/v1/orders") as statuses:
        shop.replace("orders")
    assert list(statuses) == [200]
    assert {shop.get("/v1/orders")[1]["build"] for _ in range(20)} == {"2"}
    assert len(shop.pids("orders")) == 2
    assert not set(before) & set(shop.pids("orders"))
    assert shop.rows("catalog") + shop.rows("gateway") == others


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ("stuck", "was not ready within 4 s. Its last lines:"),
        ("broken", "ended before it was ready (exit code 1). Its last lines:"),
        ("broken-migration", "`make migrate` failed (exit code 4). Its last lines:"),
    ],
)
def test_a_replacement_that_fails_is_taken_away(
    shop: LocalWorkspace, monkeypatch: pytest.MonkeyPatch, fault: str, shown: str
) -> None:
    folder = tiny(shop.root, "orders")
    shop.up()
    before = shop.engine.observe().replicas
    monkeypatch.setenv("SVCGEN_READY_SECONDS", "4")
    (folder / fault).touch()
    with load(shop.port, "/v1/orders") as statuses, pytest.raises(SvcgenError) as error:
        shop.replace("orders")
    assert list(statuses) == [200]
    assert "orders" in error.value.problem
    assert shown in error.value.problem
    assert error.value.advice == "Fix the cause, then run the same command again."
    assert shop.engine.observe().replicas == before


def test_a_replacement_may_call_another_service_than_before(shop: LocalWorkspace) -> None:
    folder = tiny(shop.root, "orders")
    tiny(shop.root, "catalog")
    shop.up()
    shutil.rmtree(folder)
    tiny(shop.root, "orders", calls=["catalog"])
    shop.replace("orders")
    assert shop.get("/v1/orders/call/catalog")[1]["service"] == "catalog"


def test_restart_puts_fresh_replicas_of_the_same_service(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    shop.up()
    before = shop.pids("orders")
    with load(shop.port, "/v1/orders") as statuses:
        shop.restart("orders")
    assert list(statuses) == [200]
    assert shop.pids("orders") != before
    with pytest.raises(SvcgenError, match="'basket' is not running"):
        shop.restart("basket")


def test_the_python_stack(shop: LocalWorkspace, new_service: NewService) -> None:
    new_service("orders", shop.root, database="postgres")
    new_service("catalog", shop.root, calls=["orders"])
    shop.up()
    assert shop.get("/v1/catalog/summary")[1]["calls"]["orders"]["items"] == 0
    with load(shop.port, "/v1/orders", rate=30) as statuses:
        shop.replace("orders")
    assert list(statuses) == [200]
