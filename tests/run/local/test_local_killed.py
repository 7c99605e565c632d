"""After any process is killed at any time, `down` ends the fleet and the next `up` works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from svcgen.commands.restart import restart
from svcgen.commands.up import up
from svcgen.gateway.admin import active_requests
from svcgen.run.local.paths import Paths
from svcgen.workspace import open_workspace
from tests.support.local_fleet import LocalWorkspace, load, tiny, until, workspace

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
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(shop.get, "/v1/orders/slow")
        until(lambda: active_requests(Paths(shop.root).admin) == 1)
        shop.down()
        assert slow.result()[0] == 200, "the gateway drains first"
    assert not shop.left()
    assert not shop.engine.observe().running


def test_a_supervisor_that_is_asked_to_end_ends_everything(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders", database="postgres")
    shop.up()
    os.kill(supervisor(shop), signal.SIGTERM)
    until(lambda: not shop.left())
    assert not shop.engine.observe().running


def test_up_continues_with_what_a_killed_supervisor_left(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders", database="postgres", calls=["catalog"])
    tiny(shop.root, "catalog")
    shop.up(orders=2)
    before = shop.engine.observe()
    with load(shop.port, "/v1/orders") as statuses:
        os.kill(supervisor(shop), signal.SIGKILL)
        assert shop.engine.observe() == before, "ps is true meanwhile"
        result = up(open_workspace(shop.root))
        assert result.url == f"http://127.0.0.1:{shop.port}"
        assert shop.engine.observe() == before
        os.kill(shop.pids("catalog")[0], signal.SIGKILL)
        until(lambda: shop.rows("catalog")[0].restarts == 1)
        until(lambda: shop.rows("catalog")[0].state == "ready")
        assert shop.get("/v1/orders/call/catalog")[0] == 200
        shop.up(orders=1)
        shop.replace("orders")
    assert list(statuses) == [200]


def test_what_ended_without_a_supervisor_is_started_again(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders", database="postgres")
    shop.up(orders=2)
    before = {row.service: row.pid for row in shop.engine.observe().replicas}
    os.kill(supervisor(shop), signal.SIGKILL)
    for service in ("gateway", "database", "orders"):
        os.kill(before[service], signal.SIGKILL)
    until(lambda: [row.state for row in shop.rows("orders")] == ["ready", "exited"])
    assert {row.state for row in shop.rows("gateway")} == {"exited"}
    up(open_workspace(shop.root))
    assert {row.state for row in shop.engine.observe().replicas} == {"ready"}
    assert shop.get("/v1/orders")[0] == 200
    assert len(shop.rows("orders")) == 2


def test_restart_without_a_supervisor_loses_no_request(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    shop.up()
    before = shop.pids("orders")
    with load(shop.port, "/v1/orders") as statuses:
        os.kill(supervisor(shop), signal.SIGKILL)
        restart(open_workspace(shop.root), "orders")
    assert list(statuses) == [200]
    assert shop.pids("orders") != before


def test_up_of_one_service_without_a_supervisor_changes_no_other(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    tiny(shop.root, "catalog")
    shop.up()
    before = {name: shop.pids(name) for name in ("orders", "catalog")}
    os.kill(supervisor(shop), signal.SIGKILL)
    up(open_workspace(shop.root), ["orders"])
    assert shop.pids("catalog") == before["catalog"]
    assert shop.pids("orders") != before["orders"]
    assert shop.get("/v1/orders")[0] == 200


def test_a_state_file_of_an_earlier_svcgen_starts_everything_anew(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    shop.up()
    number = supervisor(shop)
    os.kill(number, signal.SIGKILL)
    (shop.root / ".svcgen" / "local.json").write_text(f'{{"pid": {number}}}')
    shop.up()
    assert shop.get("/v1/orders")[0] == 200


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
