"""A full disk ends, and the fleet recovers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.errors import SvcgenError
from tests.support.local_fleet import LocalWorkspace, load, tiny, until, workspace
from tests.support.small_disk import fill, needs_root, small_disk

pytestmark = [pytest.mark.needs("local"), needs_root]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    """Yield a workspace whose `.svcgen/` is on a small disk."""
    with small_disk(tmp_path / ".svcgen"):
        yield from workspace(tmp_path)


def test_what_ends_on_a_full_disk_comes_back_when_there_is_space(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    tiny(shop.root, "catalog")
    shop.up(orders=2)
    with load(shop.port, "/v1/catalog") as statuses:
        filler = fill(shop.root / ".svcgen")
        for pid in shop.pids("orders"):
            os.kill(pid, signal.SIGKILL)
        until(lambda: [row.restarts for row in shop.rows("orders")] == [1, 1])
        with pytest.raises(SvcgenError, match=r"The disk of .*/\.svcgen is full\."):
            shop.restart("orders")
        assert shop.get("/v1/orders")[0] == 503
        filler.unlink()
        until(lambda: shop.get("/v1/orders")[0] == 200, 20)
        assert {row.state for row in shop.rows("orders")} == {"ready"}
    assert list(statuses) == [200]
    shop.restart("orders")
    assert shop.get("/v1/orders")[0] == 200


def test_a_supervisor_that_was_killed_on_a_full_disk_is_followed(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    shop.up()
    before = shop.pids("orders")
    filler = fill(shop.root / ".svcgen")
    os.kill(next(process.pid for process in shop.left() if not process.replica), signal.SIGKILL)
    shop.up()
    assert shop.pids("orders") == before
    filler.unlink()
    assert shop.get("/v1/orders")[0] == 200
