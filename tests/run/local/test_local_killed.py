"""After any process is killed at any time, `down` ends the fleet and the next `up` works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.commands.up import up
from svcgen.workspace import open_workspace
from tests.support.local_fleet import LocalWorkspace, tiny, until, workspace

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


UP = """
import sys
from collections.abc import Iterator
from pathlib import Path
from svcgen.compose.write import checked_fleet
from svcgen.run.engine import FleetRequest
from svcgen.run.local.engine import LocalEngine
from svcgen.workspace import open_workspace
root, port = Path(sys.argv[1]), int(sys.argv[2])
request = FleetRequest(checked_fleet(open_workspace(root)), port)
LocalEngine(root).up(request, lambda *text: print(*text, flush=True))
"""


def supervisor(shop: LocalWorkspace) -> int:
    return next(process.pid for process in shop.left() if not process.replica)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_down_ends_what_a_lost_supervisor_left(
    shop: LocalWorkspace, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr("svcgen.run.local.engine.DOWN_SECONDS", 1.0)
    monkeypatch.setattr("svcgen.run.local.engine.STATUS_SECONDS", 1.0)
    monkeypatch.setattr("svcgen.run.local.engine.GRACE_SECONDS", 3.0)
    (tiny(shop.root, "orders", database="postgres") / "parent").touch()
    shop.up()
    os.kill(supervisor(shop), number)
    assert shop.engine.observe().running
    assert {row.service for row in shop.engine.observe().replicas} == {
        "database",
        "gateway",
        "orders",
    }
    assert shop.get("/v1/orders")[0] == 200
    shop.down()
    assert not shop.left()
    assert not shop.engine.observe().running


def test_a_supervisor_that_is_asked_to_end_ends_everything(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders", database="postgres")
    shop.up()
    os.kill(supervisor(shop), signal.SIGTERM)
    until(lambda: not shop.left())
    assert not shop.engine.observe().running


def test_up_cleans_up_after_a_killed_supervisor(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders", database="postgres")
    shop.up()
    before = {process.pid for process in shop.left()}
    os.kill(supervisor(shop), signal.SIGKILL)
    shop.up()
    assert shop.get("/v1/orders")[0] == 200
    assert not before & {process.pid for process in shop.left()}


def test_up_of_a_service_starts_all_that_a_killed_supervisor_left(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    tiny(shop.root, "catalog")
    shop.up()
    os.kill(supervisor(shop), signal.SIGKILL)
    up(open_workspace(shop.root), ["orders"], port=shop.port)
    assert shop.get("/v1/orders")[0] == 200
    assert shop.get("/v1/catalog")[0] == 200


@pytest.mark.parametrize("seconds", [0.3, 0.6, 1.2])
def test_a_killed_command_leaves_nothing_that_down_cannot_end(
    shop: LocalWorkspace, seconds: float
) -> None:
    tiny(shop.root, "orders", database="postgres")
    command = [sys.executable, "-c", UP, str(shop.root), str(shop.port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as up:
        time.sleep(seconds)
        up.kill()
    shop.down()
    assert not shop.left()
    shop.up()
    assert shop.get("/v1/orders")[0] == 200


def test_down_comes_between_an_up_that_waits(shop: LocalWorkspace) -> None:
    (tiny(shop.root, "orders") / "stuck").touch()
    command = [sys.executable, "-c", UP, str(shop.root), str(shop.port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as up:
        until(lambda: any(process.replica == "orders-1" for process in shop.left()))
        shop.down()
        assert b"svcgen down has cancelled this command" in up.communicate()[1]
    assert not shop.left()


@pytest.mark.parametrize("replica", ["gateway", "database"])
def test_gateway_and_database_come_back(shop: LocalWorkspace, replica: str) -> None:
    tiny(shop.root, "orders", database="postgres")
    shop.up()
    os.kill(shop.pids(replica)[0], signal.SIGKILL)
    until(lambda: shop.rows(replica)[0].restarts == 1)
    until(lambda: shop.rows(replica)[0].state == "ready")
    until(lambda: shop.get("/v1/orders")[0] == 200)
