"""A full disk ends, and the fleet recovers."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.errors import SvcgenError
from tests.support.local_fleet import LocalWorkspace, load, tiny, until, workspace

pytestmark = [
    pytest.mark.needs("local"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk"),
]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    """Yield a workspace whose `.svcgen/` is on a disk of 4 MB."""
    state = tmp_path / ".svcgen"
    state.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(state)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield from workspace(tmp_path)
    finally:
        subprocess.run(["umount", "--lazy", state], check=True)


def fill(folder: Path) -> Path:
    """Take all space below a folder."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return filler


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
