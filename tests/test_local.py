"""The local engine with real Envoy and PostgreSQL, as a user meets it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_fleet import Fleets, load, tiny, until

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[Fleets]:
    fleets = Fleets(tmp_path)
    yield fleets
    fleets.down()
    assert not fleets.left()


def test_up_answers_through_the_gateway_and_down_leaves_nothing(fleets: Fleets) -> None:
    tiny(fleets.root, "orders", calls=["catalog"])
    tiny(fleets.root, "catalog")
    assert not fleets.engine.running()
    began = time.monotonic()
    fleets.up()
    print("up", time.monotonic() - began, fleets.said)
    assert fleets.get("/v1/orders")[0] == 200
    assert fleets.get("/v1/orders/call/catalog")[1]["service"] == "catalog"
    assert fleets.engine.running()
    for row in fleets.engine.ps(): print(row)
    began = time.monotonic()
    fleets.down()
    print("down", time.monotonic() - began)
    assert not fleets.left()
    assert not fleets.engine.running()
