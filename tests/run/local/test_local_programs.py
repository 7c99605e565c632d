"""Programs of svcgen.yaml beside the services of a local fleet."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from svcgen.commands.up import up
from svcgen.errors import SvcgenError
from svcgen.ports import free_port
from svcgen.workspace import open_workspace
from tests.support.local_fleet import LocalWorkspace, tiny, until, workspace

pytestmark = pytest.mark.needs("local")

CACHE = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port={}, bind='127.0.0.1')"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def settings(shop: LocalWorkspace, **programs: dict[str, Any]) -> None:
    (shop.root / "svcgen.yaml").write_text(yaml.safe_dump({"programs": programs}))


def cache(port: int, **variables: str | None) -> dict[str, Any]:
    command = ["python3", "-c", CACHE.format(port)]
    return {"command": command, "port": port, "environment": variables}


def test_a_program_runs_beside_the_services(
    shop: LocalWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(shop.root, "orders")
    port = free_port()
    settings(shop, cache=cache(port, MODE="small"), ticker={"command": ["sleep", "1000"]})
    shop.up()
    rows = {row.service: (row.state, row.address) for row in shop.engine.observe().replicas}
    assert rows["cache"] == ("ready", f"127.0.0.1:{port}")
    assert rows["ticker"][0] == "ready"
    first = shop.pids("cache")[0]
    given = psutil.Process(first).environ()
    assert (given["MODE"], Path(psutil.Process(first).cwd())) == ("small", shop.root)
    os.kill(first, signal.SIGKILL)
    until(lambda: shop.rows("cache")[0].restarts == 1)
    until(lambda: shop.rows("cache")[0].state == "ready")
    second = shop.pids("cache")
    monkeypatch.setenv("TERM", "another")
    os.kill(next(each.pid for each in shop.left() if not each.replica), signal.SIGKILL)
    shop.up()
    assert shop.pids("cache") == second, "another supervisor continues with it"
    settings(shop, cache=cache(port, MODE="large"))
    up(open_workspace(shop.root), ["orders"])
    assert shop.pids("cache") == second, "`up orders` changes nothing else"
    shop.up()
    assert psutil.Process(shop.pids("cache")[0]).environ()["MODE"] == "large"
    assert not shop.rows("ticker")


@pytest.mark.parametrize(
    ("programs", "problem"),
    [
        (
            {"cache": {"command": ["no-such-program"]}},
            "programs.cache: the program `no-such-program` does not exist",
        ),
        ({"orders": {"command": ["sleep", "9"]}}, "programs.orders: the name is used"),
        ({"cache": {"command": []}}, "programs.cache.command"),
        ({"cache": {"command": ["false"]}, "b": {"command": ["x-y"]}}, "programs.b"),
        ({"cache": {"command": ["false"], "port": 9}}, "cache-1 ended before it was ready"),
    ],
)
def test_a_wrong_program_is_named_and_nothing_stays(
    shop: LocalWorkspace, programs: dict[str, Any], problem: str
) -> None:
    tiny(shop.root, "orders")
    settings(shop, **programs)
    with pytest.raises(SvcgenError, match=problem):
        shop.up()
    assert not shop.left()


def test_a_port_of_another_program_is_named(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings(shop, cache=cache(port))
        with pytest.raises(SvcgenError, match=f"Port {port} of the program 'cache' is in use"):
            shop.up()
    assert not shop.left()
