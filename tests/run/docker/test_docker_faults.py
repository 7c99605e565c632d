"""Faults while a fleet runs in Docker."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.commands.down import down
from svcgen.compose.fleet import Fleet
from svcgen.compose.stitch import stitched_files
from svcgen.errors import SvcgenError
from tests.support.checkout import until
from tests.support.docker_fleet import DockerWorkspace, build, new_workspace, tiny
from tests.support.load import load
from tests.support.run import svcgen
from tests.support.small_disk import fill, needs_root, small_disk

pytestmark = [pytest.mark.slow, pytest.mark.needs("docker")]

MOMENTS = (1.5, 3.0)  # seconds: while the image is built, and while replicas are replaced


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


def test_a_killed_up_on_a_running_fleet_loses_nothing_and_the_next_one_goes_on(
    shop: DockerWorkspace,
) -> None:
    orders = tiny(shop.root, "orders")
    shop.up(orders=2)
    gateway = shop.ids("gateway")
    command = [sys.executable, "-m", "svcgen", "up", "orders"]
    with load(shop.port, 60, ["/v1/orders"]) as outcomes:
        for moment in MOMENTS:
            build(orders, f"at {moment}")
            with subprocess.Popen(
                command, cwd=shop.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as replacing:
                time.sleep(moment)
                replacing.kill()
            # What the killed command started holds the fleet's lock until it ends.
            until(lambda: svcgen("up", within=shop.root).returncode == 0, 90)
            assert shop.get("/v1/orders")["build"] == f"at {moment}"
            assert len(shop.ids("orders")["orders"]) == 2
    assert shop.ids("gateway") == gateway
    assert [one for one in outcomes if one.failed] == []


@needs_root
def test_a_full_disk_stops_a_command_and_not_the_fleet(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk):
        shop = new_workspace(disk / "faults")
        try:
            build(tiny(shop.root, "orders"), "one")
            shop.up()
            before = shop.ids()
            build(shop.root / "orders", "two")
            with load(shop.port, 60, ["/v1/orders"]) as outcomes:
                filler = fill(disk)
                for words in (("up",), ("restart", "orders")):
                    done = svcgen(*words, within=shop.root)
                    assert done.returncode == 1
                    assert f"{shop.root}/.svcgen/" in done.stderr
                    assert "No space left on device." in done.stderr
                    assert "Free space" in done.stderr
                assert shop.ids() == before
                filler.unlink()
                shop.up()
            assert [one for one in outcomes if one.failed] == []
            assert shop.get("/v1/orders")["build"] == "two"
        finally:
            down(shop.workspace, volumes=True)
