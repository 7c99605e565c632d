"""Faults while a fleet runs in Docker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.commands.down import down
from svcgen.compose.fleet import Fleet
from svcgen.compose.stitch import stitched_files
from svcgen.errors import SvcgenError
from tests.support.docker_fleet import DockerWorkspace, new_workspace, tiny
from tests.support.load import load

pytestmark = [pytest.mark.slow, pytest.mark.needs("docker")]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DockerWorkspace]:
    made = new_workspace(tmp_path / "faults")
    yield made
    down(made.workspace, volumes=True)


def test_a_file_that_the_running_gateway_refuses_is_put_back(
    shop: DockerWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Envoy checks files before they are written; without that check the gateway itself does."""
    tiny(shop.root, "orders")
    shop.up()
    before, name = shop.ids(), "gateway/cds.json"
    kept = (shop.root / name).read_text()

    def broken(fleet: Fleet) -> dict[str, str]:
        files = stitched_files(fleet)
        return {**files, name: files[name].replace('"1s"', '"soon"')}

    with monkeypatch.context() as patch, load(shop.port, 60, ["/v1/orders"]) as outcomes:
        patch.setattr("svcgen.run.docker.engine.stitched_files", broken)
        with pytest.raises(
            SvcgenError, match=r"orders/chart/registration\.yaml: .*: duration must"
        ):
            shop.up()
        patch.setattr("svcgen.run.docker.engine.find_validator", lambda: None)
        with pytest.raises(SvcgenError, match=r"refuses cds\.json, and keeps the one before"):
            shop.up()
        assert (shop.root / name).read_text() == kept
    assert [one for one in outcomes if one.failed] == []
    shop.up()
    assert shop.ids() == before
