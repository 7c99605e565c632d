"""`svcgen run NAME` with Docker: containers reach a process that listens on 127.0.0.1 alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from svcgen.commands.down import down
from svcgen.commands.ps import ps
from tests.support.docker_fleet import DockerWorkspace, build, docker, tiny, workspace
from tests.support.load import load
from tests.support.local_fleet import until
from tests.support.repository import REPOSITORY
from tests.support.run import SVCGEN, environment, svcgen

pytestmark = pytest.mark.needs("docker")
SERVER = REPOSITORY / "tests" / "data" / "tiny" / "server.py"
CALL = """
import os, urllib.request
print(urllib.request.urlopen(os.environ["ORDERS_URL"] + "/v1/orders").read().decode())
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DockerWorkspace]:
    for made in workspace(tmp_path):
        tiny(made.root, "orders")
        tiny(made.root, "catalog", calls=["orders"])
        yield made


@contextmanager
def running(shop: DockerWorkspace) -> Iterator[subprocess.Popen[bytes]]:
    """Run `svcgen run orders` with another build, and wait until it alone serves the requests."""
    build(shop.root / "orders", "mine")
    with (shop.root.parent / "output").open("w") as output:
        process = subprocess.Popen(
            [*SVCGEN, "run", "orders", "--", sys.executable, str(SERVER)],
            cwd=shop.root,
            env=environment({}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: "your process" in printed(shop), 60)
        until(lambda: len(shop.ids("orders")["orders"]) == 1, 60)
        yield process
    finally:
        process.kill()
        process.wait()


def printed(shop: DockerWorkspace) -> str:
    return (shop.root.parent / "output").read_text()


def test_a_process_of_the_terminal_serves_until_it_ends(shop: DockerWorkspace) -> None:
    shop.up(orders=2)
    others = shop.ids("catalog", "gateway")
    with load(shop.port, 60, ["/v1/orders"]) as outcomes, running(shop) as process:
        assert shop.get("/v1/orders")["build"] == "mine"
        called = docker("exec", others["catalog"][0], "python", "-c", CALL)
        assert '"mine"' in called, "other services call it, too"
        assert ps(shop.workspace).notes == {"orders": "served by `svcgen run`"}
        for words in (("up", "orders"), ("restart", "orders"), ("run", "orders")):
            refused = svcgen(*words, within=shop.root)
            assert refused.returncode == 1
            assert "`svcgen run` serves orders." in refused.stderr, words
        shop.up()
        assert shop.get("/v1/orders")["build"] == "mine"
        assert all(outcome.status == 200 for outcome in outcomes)
        build(shop.root / "orders", "one")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0, printed(shop)
    assert "service" not in shop.get("/v1/orders"), "a container answers"
    assert len(shop.ids("orders")["orders"]) == 2
    assert shop.ids("catalog", "gateway") == others
    assert ps(shop.workspace).notes == {}


def test_the_next_up_restores_what_a_killed_run_has_left(shop: DockerWorkspace) -> None:
    shop.up()
    with running(shop) as process:
        own = shop.get("/v1/orders")["pid"]
        process.kill()
        process.wait()
        until(lambda: not Path(f"/proc/{own}").exists())
        assert "was killed" in ps(shop.workspace).notes["orders"]
        done = svcgen("up", within=shop.root)
        assert "`svcgen run` was killed" in done.stderr
        assert "service" not in shop.get("/v1/orders"), "a container answers"
        assert ps(shop.workspace).notes == {}


def test_down_ends_the_process(shop: DockerWorkspace) -> None:
    shop.up()
    with running(shop) as process:
        down(shop.workspace)
        assert process.wait(timeout=60) == 0 or "the fleet was stopped" in printed(shop)
    assert not shop.ids()
