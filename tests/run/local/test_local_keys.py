"""A key is valid as soon as `svcgen key add` ends, and refused as soon as `key revoke` ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.envoy_process import basic, load, send, until
from tests.support.local_fleet import LocalWorkspace, tiny, workspace
from tests.support.run import answered, svcgen
from tests.support.workspaces import route

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    route(tiny(tmp_path, "orders"), auth={"key": "partners", "tier": "gold"})
    yield from workspace(tmp_path)


def test_up_names_the_missing_key_and_a_running_gateway_follows(shop: LocalWorkspace) -> None:
    start = ("up", "--engine", "local", "--port", str(shop.port))
    up = svcgen(*start, within=shop.root)
    assert up.returncode == 0, up.stderr
    assert (
        "The group partners has no key of the tier gold. "
        "Add one: svcgen key add partners NAME --tier gold\n" in up.stderr
    )

    def answers(status: int, user: str, key: str) -> None:
        """Wait until each thread of Envoy answers a key so."""
        headers = dict([basic(f"{user}:{key}")])
        until(lambda: send(shop.port, "/v1/orders", headers=headers).status == status)

    def added(name: str) -> str:
        words = ("key", "add", "partners", name, "--tier", "gold", "--json")
        document = answered(svcgen(*words, within=shop.root))
        assert document["url"] == f"http://127.0.0.1:{shop.port}/v1/orders"
        return str(document["secret"])

    first = added("acme")
    user = "partners.gold.acme"
    with load(shop.port, "/v1/orders", rate=100, headers=[basic(f"{user}:{first}")]) as failed:
        for name in ("one", "two"):
            key = added(name)
            answers(200, f"partners.gold.{name}", key)
            svcgen("key", "revoke", "partners", name, within=shop.root)
            answers(401, f"partners.gold.{name}", key)
    assert failed == []
    again = svcgen(*start, within=shop.root)
    assert "svcgen key add" not in again.stderr
    answers(200, user, first)
