"""Services without a cluster in the gateway: the local engine runs them like all others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.local_fleet import LocalWorkspace, tiny, workspace
from tests.support.workspaces import edit

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def _internal(written: dict[str, Any]) -> None:
    for route in written["routes"].values():
        route["expose"] = "internal"


def _no_routes(written: dict[str, Any]) -> None:
    written["routes"] = {}


@pytest.mark.parametrize("change", [_internal, _no_routes])
def test_a_service_that_nobody_calls_is_started_replaced_scaled_and_exposed(
    shop: LocalWorkspace, change: Any
) -> None:
    tiny(shop.root, "orders")
    registration = tiny(shop.root, "worker") / "chart" / "registration.yaml"
    exposed = registration.read_text()
    edit(registration, change)
    shop.up()
    first = shop.pids("worker")
    shop.replace("worker")
    shop.restart("worker")
    shop.up(worker=2)
    assert [row.state for row in shop.rows("worker")] == ["ready", "ready"]
    assert not set(first) & set(shop.pids("worker"))
    assert shop.get("/v1/worker")[0] == 404
    assert shop.get("/v1/orders")[0] == 200
    registration.write_text(exposed)
    shop.replace("worker")
    assert shop.get("/v1/worker")[0] == 200


def test_one_is_added_to_a_running_fleet(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    shop.up()
    edit(tiny(shop.root, "worker") / "chart" / "registration.yaml", _no_routes)
    shop.up(only="worker")
    assert [row.state for row in shop.rows("worker")] == ["ready"]
