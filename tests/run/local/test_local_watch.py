"""`svcgen up --watch` with the local engine: a save replaces one service and nothing else."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.local_fleet import LocalWorkspace, load, tiny, until, workspace
from tests.support.run import SVCGEN, environment

pytestmark = pytest.mark.needs("local")
SAVED = "orders          saved\n"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path / "shop")


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process that still runs when the block fails: Popen would wait for it."""
    try:
        yield
    finally:
        process.kill()


def test_each_save_replaces_its_service(shop: LocalWorkspace, tmp_path: Path) -> None:
    orders = tiny(shop.root, "orders", database="postgres")
    tiny(shop.root, "catalog")
    (orders / ".gitignore").write_text("cache/\n.env\n*.log\n")
    (orders / "cache").mkdir()
    words = ("up", "--watch", "--engine", "local", f"--port={shop.port}")
    with (
        (tmp_path / "output").open("w+") as output,
        subprocess.Popen(
            [*SVCGEN, *words], cwd=shop.root, env=environment({}), stdout=output, stderr=output
        ) as watch,
        ended(watch),
    ):

        def printed() -> str:
            return (tmp_path / "output").read_text()

        def build(text: str) -> None:
            """Save a version, and wait until it serves requests."""
            (orders / "build.txt").write_text(text)
            until(lambda: shop.get("/v1/orders")[1].get("build") == text)
            until(lambda: len(shop.rows("orders")) == 1)

        until(lambda: "2 services; Ctrl-C ends the watch" in printed(), 120)
        others = shop.rows("catalog") + shop.rows("gateway") + shop.rows("database")
        with load(shop.port, "/v1/orders", rate=50) as statuses:
            # Caches, files of an editor, and the same content again.
            (orders / "cache" / "object").write_text("x")
            (orders / "app.log").write_text("x")
            (orders / ".server.py.swp").write_text("x")
            (orders / "server.py").write_text((orders / "server.py").read_text())
            build("2")
            assert printed().count(SAVED) == 1

            for number in range(8):
                (orders / "build.txt").write_text(f"half of {number}")
                time.sleep(0.05)
            build("3")
            assert printed().count(SAVED) == 2, "a burst of saves is one"

            (orders / ".env").write_text("A=1\n")
            until(lambda: printed().count(SAVED) == 3)
            (orders / "broken").touch()
            until(lambda: "The new replica was removed. The old one stays." in printed())
            assert "exit code 1" in printed()
            (orders / "broken").unlink()
            (orders / "new" / "folder").mkdir(parents=True)
            (orders / "new" / "folder" / "module.py").write_text("")
            build("4")
        assert list(statuses) == [200]
        assert shop.rows("catalog") + shop.rows("gateway") + shop.rows("database") == others
        shop.down()
        assert watch.wait(timeout=60) == 0
