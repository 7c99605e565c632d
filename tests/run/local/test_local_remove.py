"""`svcgen remove` and a local fleet: requests, data and passwords."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.local_fleet import LocalWorkspace, load, tiny, workspace
from tests.support.run import answered, svcgen

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def passwords(shop: LocalWorkspace) -> set[str]:
    return set(json.loads((shop.root / ".svcgen/postgres.json").read_text()))


def test_a_removed_service_ends_and_the_others_lose_no_request(shop: LocalWorkspace) -> None:
    for name, database in (("basket", "postgres"), ("orders", "none"), ("stock", "none")):
        tiny(shop.root, name, database=database)
    shop.up()
    before = shop.engine.observe().replicas
    with load(shop.port, "/v1/orders") as statuses:
        kept = answered(svcgen("remove", "basket", "--force", "--json", within=shop.root))
        assert kept["kept"] == ["database basket in .svcgen/postgres"]
        assert [replica["service"] for replica in kept["stopped"]] == ["basket"]
        assert shop.get("/v1/basket")[0] == 404
        assert "basket" in passwords(shop)
        tiny(shop.root, "basket", database="postgres")
        shop.up()
        words = ("remove", "basket", "--force", "--volumes", "--json")
        assert answered(svcgen(*words, within=shop.root))["deleted"] == kept["kept"]
        assert "basket" not in passwords(shop)
    assert set(statuses) == {200}
    after = shop.engine.observe().replicas
    assert set(after) == {row for row in before if row.service != "basket"}


def test_data_of_a_fleet_that_does_not_run_is_deleted(shop: LocalWorkspace) -> None:
    tiny(shop.root, "basket", database="postgres")
    shop.up()
    shop.down()
    done = svcgen("remove", "basket", "--force", "--volumes", within=shop.root)
    assert "deleted database basket" in done.stdout, done.stderr
    assert passwords(shop) == {"postgres"}
    assert not shop.left()


def test_the_last_service_ends_the_fleet(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    shop.up()
    assert svcgen("remove", "orders", "--force", within=shop.root).returncode == 0
    assert not shop.left()
    assert not shop.engine.observe().running
    shutil.rmtree(shop.root / ".svcgen")
