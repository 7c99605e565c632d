"""An adopted service in a Docker fleet, from its first request to its removal with its data."""

from __future__ import annotations

import shutil
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from svcgen.workspace import workspace_id
from tests.support.docker_fleet import TINY, DockerWorkspace, docker, tiny, workspace
from tests.support.run import answered, svcgen
from tests.support.workspaces import edit

pytestmark = pytest.mark.needs("docker")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DockerWorkspace]:
    yield from workspace(tmp_path)


def test_an_adopted_service_answers_and_a_removed_one_leaves_nothing(shop: DockerWorkspace) -> None:
    tiny(shop.root, "orders")
    legacy = shutil.copytree(TINY, shop.root / "legacy")
    (legacy / "build.txt").write_text("adopted")
    with (legacy / "Dockerfile").open("a") as file:
        file.write("ENV NAME=legacy DRAIN_SECONDS=1\nEXPOSE 8080\n")
    assert svcgen("adopt", "legacy", within=shop.root).returncode == 0

    def with_data(content: dict[str, Any]) -> None:
        content["services"]["legacy"]["volumes"] = ["legacy-db:/data"]
        content["volumes"] = {"legacy-db": {}}

    edit(legacy / "compose.yaml", with_data)
    shop.up()
    assert shop.get("/v1/legacy")["build"] == "adopted"
    before = shop.ids("gateway", "orders")
    words = ("remove", "legacy", "--force", "--volumes", "--json")
    removed = answered(svcgen(*words, within=shop.root))
    assert [volume.endswith("_legacy-db") for volume in removed["deleted"]] == [True]
    assert not legacy.exists()
    assert shop.ids("gateway", "orders") == before
    assert set(shop.ids()) == {"gateway", "orders"}
    with pytest.raises(urllib.error.HTTPError, match="404"):
        shop.get("/v1/legacy")
    images = f"reference=svcgen.local/{workspace_id(shop.root)[:8]}/legacy"
    assert docker("image", "ls", "--quiet", "--filter", images) == ""
    assert "_legacy-db" not in docker("volume", "ls", "--filter", f"name={shop.root.name}")
