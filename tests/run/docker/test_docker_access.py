"""The gateway's container accepts the tokens of this machine; a committed folder does not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from svcgen.commands.token import make_token
from tests.support.docker_fleet import DockerWorkspace, tiny, workspace
from tests.support.envoy_process import problem, send, until
from tests.support.workspaces import route

pytestmark = [pytest.mark.needs("docker"), pytest.mark.slow]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DockerWorkspace]:
    yield from workspace(tmp_path)


def opens(port: int, token: str) -> bool:
    return send(port, "/v1/orders", headers={"Authorization": f"Bearer {token}"}).status == 200


def test_a_token_of_this_machine_opens_a_route(shop: DockerWorkspace) -> None:
    """The container's user reads a folder below one of mode 0700, and sees a file that replaces."""
    folder = tiny(shop.root, "orders")
    shop.up()
    route(folder, auth={"jwt": "dev", "scopes": ["orders:read"]})
    result = shop.up()
    assert result.token == "svcgen token --sub ann --scope orders:read"
    problem(send(shop.port, "/v1/orders"), 401)
    for rotate in (False, True):
        text = make_token(shop.workspace, "ann", ["orders:read"], rotate=rotate).text
        until(partial(opens, shop.port, text))
    committed = (shop.root / "gateway/access/jwt.json").read_text()
    assert "svcgen-development" not in committed
