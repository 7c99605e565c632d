"""The gateway's container uses the keys of this machine, and follows a change of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.commands.key import add, revoke
from tests.support.docker_fleet import DockerWorkspace, tiny, workspace
from tests.support.envoy_process import basic, send, until
from tests.support.workspaces import route

pytestmark = [pytest.mark.needs("docker"), pytest.mark.slow]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DockerWorkspace]:
    yield from workspace(tmp_path)


def test_keys_are_added_and_revoked_in_the_container(shop: DockerWorkspace) -> None:
    route(tiny(shop.root, "orders"), auth={"key": "partners"})
    before = add(shop.workspace, "partners", "before")

    def answers(status: int, name: str, key: str) -> None:
        """Wait until each thread of Envoy answers a key so."""
        headers = dict([basic(f"partners.{name}:{key}")])
        until(lambda: send(shop.port, "/v1/orders", headers=headers).status == status)

    assert shop.up().wanted_keys == ()
    answers(200, "before", before.secret)
    late = add(shop.workspace, "partners", "late")
    answers(200, "late", late.secret)
    revoke(shop.workspace, "partners", "late")
    answers(401, "late", late.secret)
    answers(200, "before", before.secret)
    committed = (shop.root / "gateway/access/keys.json").read_text()
    assert "partners" not in committed
