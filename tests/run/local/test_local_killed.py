"""Whatever is killed, and whenever: `down` ends all of it, and the next `up` works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.local_fleet import LocalWorkspace, tiny, until, workspace

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


UP = """
import sys
from collections.abc import Iterator
from pathlib import Path
from svcgen.run.engine import FleetRequest
from svcgen.run.local.engine import LocalEngine
from svcgen.workspace import open_workspace
root, port = Path(sys.argv[1]), int(sys.argv[2])
wanted = FleetRequest(open_workspace(root), port)
LocalEngine(root).up(wanted, lambda *text: print(*text, flush=True))
"""


def supervisor(fleets: LocalWorkspace) -> int:
    return next(one.pid for one in fleets.left() if not one.replica)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_down_ends_what_a_lost_supervisor_left(
    fleets: LocalWorkspace, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr("svcgen.run.local.engine.DOWN_SECONDS", 1.0)
    monkeypatch.setattr("svcgen.run.local.engine.STATUS_SECONDS", 1.0)
    monkeypatch.setattr("svcgen.run.local.engine.GRACE_SECONDS", 3.0)
    (tiny(fleets.root, "orders", database="postgres") / "parent").touch()
    fleets.up()
    os.kill(supervisor(fleets), number)
    assert fleets.engine.running()
    assert {row.service for row in fleets.engine.ps()} == {"database", "gateway", "orders"}
    assert fleets.get("/v1/orders")[0] == 200
    fleets.down()
    assert not fleets.left()
    assert not fleets.engine.running()


def test_a_supervisor_that_is_asked_to_end_ends_everything(fleets: LocalWorkspace) -> None:
    tiny(fleets.root, "orders", database="postgres")
    fleets.up()
    os.kill(supervisor(fleets), signal.SIGTERM)
    until(lambda: not fleets.left())
    assert not fleets.engine.running()


def test_up_cleans_up_after_a_killed_supervisor(fleets: LocalWorkspace) -> None:
    tiny(fleets.root, "orders", database="postgres")
    fleets.up()
    before = {one.pid for one in fleets.left()}
    os.kill(supervisor(fleets), signal.SIGKILL)
    fleets.up()
    assert fleets.get("/v1/orders")[0] == 200
    assert not before & {one.pid for one in fleets.left()}


@pytest.mark.parametrize("seconds", [0.3, 0.6, 1.2])
def test_a_killed_command_leaves_nothing_that_down_cannot_end(
    fleets: LocalWorkspace, seconds: float
) -> None:
    tiny(fleets.root, "orders", database="postgres")
    command = [sys.executable, "-c", UP, str(fleets.root), str(fleets.port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as up:
        time.sleep(seconds)
        up.kill()
    fleets.down()
    assert not fleets.left()
    fleets.up()
    assert fleets.get("/v1/orders")[0] == 200


def test_down_comes_between_an_up_that_waits(fleets: LocalWorkspace) -> None:
    (tiny(fleets.root, "orders") / "stuck").touch()
    command = [sys.executable, "-c", UP, str(fleets.root), str(fleets.port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as up:
        until(lambda: any(one.replica == "orders-1" for one in fleets.left()))
        fleets.down()
        assert b"came in between" in up.communicate()[1]
    assert not fleets.left()


@pytest.mark.parametrize("replica", ["gateway", "database"])
def test_gateway_and_database_come_back(fleets: LocalWorkspace, replica: str) -> None:
    tiny(fleets.root, "orders", database="postgres")
    fleets.up()
    os.kill(fleets.pids(replica)[0], signal.SIGKILL)
    until(lambda: fleets.rows(replica)[0].restarts == 1)
    until(lambda: fleets.rows(replica)[0].state == "ready")
    until(lambda: fleets.get("/v1/orders")[0] == 200)
