"""The gateway's container uses the keys of this machine, and follows a change of them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.commands.key import add, revoke
from tests.support.docker_fleet import DockerWorkspace, tiny, workspace
from tests.support.envoy_process import send

pytestmark = pytest.mark.needs("docker")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DockerWorkspace]:
    yield from workspace(tmp_path)


def test_keys_are_added_and_revoked_in_the_container(shop: DockerWorkspace) -> None:
    registration = tiny(shop.root, "orders") / "chart/registration.yaml"
    content = json.loads(registration.read_text())
    content["routes"]["orders"]["auth"] = {"key": "partners"}
    registration.write_text(json.dumps(content))
    before = add(shop.workspace, "partners", "before")

    def status(name: str, key: str) -> int:
        text = b64encode(f"partners.{name}:{key}".encode()).decode()
        headers = {"Authorization": f"Basic {text}"}
        return send(shop.port, "/v1/orders", headers=headers).status

    assert shop.up().wanted_keys == ()
    assert status("before", before.secret) == 200
    late = add(shop.workspace, "partners", "late")
    assert status("late", late.secret) == 200
    revoke(shop.workspace, "partners", "late")
    assert status("late", late.secret) == 401
    assert status("before", before.secret) == 200
    committed = (shop.root / "gateway/access/keys.json").read_text()
    assert "partners" not in committed
