"""An application of this machine that svcgen did not make, behind the gateway of a local fleet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.local_fleet import LocalWorkspace, load, tiny, workspace
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def test_a_route_moves_from_the_monolith_to_a_service(shop: LocalWorkspace) -> None:
    monolith = Upstream("monolith")
    entry = f"{{url: http://localhost:{monolith.port}, routes: {{all: {{path: /, auth: none}}}}}}"
    (shop.root / "svcgen.yaml").write_text(f"external: {{monolith: {entry}}}\n")
    tiny(shop.root, "orders")
    shop.up()
    assert [row.service for row in shop.engine.observe().replicas] == ["gateway", "orders"]
    assert shop.get("/v1/orders")[1]["service"] == "orders"
    with load(shop.port, "/v1/basket") as statuses:
        assert shop.get("/v1/basket")[1]["service"] == "monolith"
        tiny(shop.root, "basket")
        shop.up()
        assert shop.get("/v1/basket")[1]["service"] == "basket"
    assert set(statuses) == {200}
    assert shop.get("/")[1]["service"] == "monolith"
