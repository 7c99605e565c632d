"""`svcgen routes --live` of a fleet that runs and has clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.local_fleet import LocalWorkspace, load, tiny, workspace
from tests.support.run import answered, svcgen
from tests.support.terminal import interrupted

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def test_the_routes_of_a_running_fleet_are_measured(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    tiny(shop.root, "catalog")
    shop.up(orders=2)
    # What runs can be shown also while a registration is being edited.
    (shop.root / "catalog" / "chart" / "registration.yaml").write_text("routes: [")
    with load(shop.port, "/v1/orders") as statuses:
        document = answered(svcgen("routes", "--live", "--json", "--for", "1s", within=shop.root))
        printed = svcgen("routes", "--live", "--for", "1s", within=shop.root)
        # The terminal has no place for the route of orders and for the other requests.
        words = ("routes", "--live", "--for", "1s")
        code, shown = interrupted(*words, within=shop.root, at="2 more lines", lines=6)
    assert set(statuses) == {200}
    catalog, orders = document["routes"]
    assert (orders["service"], orders["name"]) == ("orders", "orders")
    assert (orders["healthy_replicas"], orders["replicas"]) == (2, 2)
    traffic = orders["traffic"]
    assert 0 < traffic["requests"] < statuses.total()
    assert traffic["per_second"] == pytest.approx(
        traffic["requests"] / document["seconds"], rel=0.01
    )
    assert traffic["p50_ms"] <= traffic["p99_ms"]
    assert (traffic["errors_5xx"], traffic["errors_4xx"]) == (0, 0)
    assert (catalog["traffic"]["requests"], catalog["traffic"]["p50_ms"]) == (0, None)
    assert document["others"]["requests"] == 0
    assert printed.returncode == 0
    assert "SERVICE  ROUTE    REQ/S" in printed.stdout
    assert "orders   orders" in printed.stdout
    assert code == 0, shown
    assert "catalog  catalog" in shown
    assert "orders   orders" not in shown
    assert "Aborted" not in shown
    shop.down()
    stopped = svcgen("routes", "--live", within=shop.root)
    assert (stopped.returncode, stopped.stdout) == (1, "")
    assert stopped.stderr.endswith("No gateway is running.\nStart the fleet: svcgen up\n")
