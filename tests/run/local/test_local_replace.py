"""Independent deployment: one service is replaced under load, and nobody notices."""

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
def fleets(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def test_replace_under_load_loses_no_request(fleets: LocalWorkspace) -> None:
    folder = tiny(fleets.root, "orders")
    tiny(fleets.root, "catalog")
    fleets.up(orders=2)
    before = fleets.pids("orders")
    others = fleets.rows("catalog") + fleets.rows("gateway")
    (folder / "build.txt").write_text("2")
    with load(fleets.port, "/v1/orders") as statuses:
        fleets.replace("orders")
    assert list(statuses) == [200]
    assert {fleets.get("/v1/orders")[1]["build"] for _ in range(20)} == {"2"}
    assert len(fleets.pids("orders")) == 2
    assert not set(before) & set(fleets.pids("orders"))
    assert fleets.rows("catalog") + fleets.rows("gateway") == others


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ("stuck", "was not ready within 4 s. Its last lines:"),
        ("broken", "ended before it was ready (exit code 1). Its last lines:"),
        ("broken-migration", "`make migrate` failed (exit code 4). Its last lines:"),
    ],
)
def test_a_replacement_that_fails_is_taken_away(
    fleets: LocalWorkspace, monkeypatch: pytest.MonkeyPatch, fault: str, shown: str
) -> None:
    folder = tiny(fleets.root, "orders")
    fleets.up()
    before = fleets.engine.ps()
    monkeypatch.setenv("SVCGEN_READY_SECONDS", "4")
    (folder / fault).touch()
    with load(fleets.port, "/v1/orders") as statuses, pytest.raises(SvcgenError) as error:
        fleets.replace("orders")
    assert list(statuses) == [200]
    assert "orders" in error.value.problem
    assert shown in error.value.problem
    assert fleets.engine.ps() == before


def test_a_replacement_may_call_another_service_than_before(fleets: LocalWorkspace) -> None:
    folder = tiny(fleets.root, "orders")
    tiny(fleets.root, "catalog")
    fleets.up()
    shutil.rmtree(folder)
    tiny(fleets.root, "orders", calls=["catalog"])
    fleets.replace("orders")
    assert fleets.get("/v1/orders/call/catalog")[1]["service"] == "catalog"


def test_restart_puts_fresh_replicas_of_the_same_service(fleets: LocalWorkspace) -> None:
    tiny(fleets.root, "orders")
    fleets.up()
    before = fleets.pids("orders")
    with load(fleets.port, "/v1/orders") as statuses:
        fleets.engine.restart("orders", fleets.report)
    assert list(statuses) == [200]
    assert fleets.pids("orders") != before
    with pytest.raises(SvcgenError, match="basket does not run"):
        fleets.engine.restart("basket", fleets.report)


def test_the_python_stack(fleets: LocalWorkspace, new_service: NewService) -> None:
    new_service("orders", fleets.root, database="postgres")
    new_service("catalog", fleets.root, calls=["orders"])
    fleets.up()
    assert fleets.get("/v1/catalog/summary")[1]["calls"]["orders"]["items"] == 0
    with load(fleets.port, "/v1/orders", rate=30) as statuses:
        fleets.replace("orders")
    assert list(statuses) == [200]
