"""An application of this machine that svcgen did not make, behind the gateway in Docker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker_fleet import DockerWorkspace, tiny, workspace
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("docker")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DockerWorkspace]:
    yield from workspace(tmp_path)


def test_localhost_of_svcgen_yaml_is_this_machine(shop: DockerWorkspace) -> None:
    site = Upstream("site", "0.0.0.0")
    entry = f"{{url: http://localhost:{site.port}, routes: {{all: {{path: /, auth: none}}}}}}"
    (shop.root / "svcgen.yaml").write_text(f"external: {{site: {entry}}}\n")
    tiny(shop.root, "orders")
    shop.up()
    assert "build" in shop.get("/v1/orders")
    page = shop.get("/pages/1")
    assert (page["service"], page["headers"]["host"]) == ("site", f"localhost:{site.port}")
    assert list(shop.ids()) == ["gateway", "orders"]
