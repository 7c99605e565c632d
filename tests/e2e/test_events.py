"""Two services behind the gateway under load, with either engine: no event loses a GET."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.commands.down import down
from svcgen.commands.ps import ps
from svcgen.ports import free_port
from svcgen.workspace import state_folder
from tests.support import under_load
from tests.support.load import load
from tests.support.repository import NewService
from tests.support.under_load import AFTER, BEFORE, BETWEEN, ENGINES, LoadedFleet

pytestmark = pytest.mark.alone
# Most requests are cheap ones: two cores must also build, start and migrate meanwhile.
PAGES = ("/v1/catalog?limit=1", "/v1/orders?limit=1", "/v1/catalog?limit=1")
GETS = (*PAGES, *PAGES, *PAGES, "/v1/catalog/summary?depth=1")
POSTS = ("/v1/orders", "/v1/catalog")
# Requests a second, one POST in ten; a machine with too few cores may ask for fewer.
RATE = int(os.environ.get("SVCGEN_RATE", "205"))


EVENTS: tuple[tuple[str, under_load.Act], ...] = (
    ("scaled to two", lambda shop: shop.up(orders=2, catalog=2)),
    ("kill -9 of a caller", lambda shop: shop.signal("catalog", signal.SIGKILL)),
    ("kill -9 of a callee", lambda shop: shop.signal("orders", signal.SIGKILL)),
    ("SIGTERM", lambda shop: shop.signal("catalog", signal.SIGTERM)),
    ("replaced", lambda shop: shop.up("orders")),
    ("third service added", lambda shop: shop.up("baskets")),
)


@pytest.fixture
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, new_service: NewService
) -> Iterator[LoadedFleet]:
    root = tmp_path / f"e2e-{os.getpid()}-{request.param}"
    root.mkdir()
    state_folder(root)
    new_service("orders", root, database="postgres")
    new_service("catalog", root, calls=["orders"])
    with under_load.alone_on_this_machine():
        made = LoadedFleet(root, request.param, free_port(), ("orders", "catalog"))
        yield made
        down(made.workspace, volumes=True)
        assert not ps(made.workspace).replicas


@pytest.mark.parametrize("shop", ENGINES, indirect=True)
def test_no_get_is_lost(
    shop: LoadedFleet, new_service: NewService, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    shop.up()
    took = time.monotonic() - began
    with load(shop.port, RATE, GETS, POSTS) as outcomes:
        time.sleep(BEFORE)
        events = []
        for name, act in EVENTS:
            if name == "third service added":
                new_service("baskets", shop.root, calls=["catalog"])
            events.append(under_load.happen(shop, name, act))
        time.sleep(AFTER - BETWEEN)
    with capsys.disabled():
        print(f"\n{shop.engine}: up in {took:.0f} s, {len(outcomes)} requests")
        print(under_load.summary(shop, events, outcomes))
    under_load.require_no_losses(events, outcomes)
    assert under_load.status(shop.port, "/v1/baskets/summary?depth=2") == 200
