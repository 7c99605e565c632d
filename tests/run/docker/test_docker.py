"""The Docker engine with tiny services and the real gateway, as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from svcgen.commands.down import down
from svcgen.commands.live import live_routes
from svcgen.commands.logs import logs
from svcgen.commands.ps import ps
from svcgen.commands.restart import restart
from svcgen.errors import SvcgenError
from svcgen.run.docker.lock import changing
from svcgen.workspace import state_folder
from tests.support.docker_fleet import (
    DockerWorkspace,
    build,
    docker,
    new_workspace,
    tiny,
    workspace,
)
from tests.support.load import Outcome, load
from tests.support.workspaces import edit

pytestmark = pytest.mark.needs("docker")
UNMIGRATED = (
    r"orders-migrate ended with exit code 1\. Its last lines:\n  relation does not exist\nRead"
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DockerWorkspace]:
    yield from workspace(tmp_path)


def test_up_answers_through_the_gateway_and_down_leaves_nothing(shop: DockerWorkspace) -> None:
    tiny(shop.root, "orders", migrates=True)
    tiny(shop.root, "catalog", calls=["orders"])
    result = shop.up(catalog=2)
    assert (result.engine, result.url) == ("docker", f"http://127.0.0.1:{shop.port}")
    assert shop.get("/v1/orders")["build"] == "one"
    rows = [(replica.service, replica.state) for replica in result.replicas]
    assert rows == [("catalog", "ready")] * 2 + [("gateway", "ready"), ("orders", "ready")]
    looks = live_routes(shop.workspace, 1.0)
    next(looks)
    for _ in range(3):
        shop.get("/v1/orders")
    measured = {route.service: route for route in next(looks).routes}
    assert measured["orders"].traffic.requests == 3
    assert (measured["catalog"].healthy, measured["catalog"].replicas) == (2, 2)
    before = shop.ids()
    shop.up()
    assert shop.ids() == before, "what is unchanged is left alone, and so is the scale"
    os.kill(ps(shop.workspace).replicas[0].pid, signal.SIGKILL)
    _until(lambda: ps(shop.workspace).replicas[0].restarts == 1)
    _until(lambda: ps(shop.workspace).replicas[0].state == "ready")
    lines = [line.text for line in logs(shop.workspace, ["catalog"], tail=100).lines]
    assert lines.count("catalog one listens") == 3
    with pytest.raises(SvcgenError, match="Running: catalog, gateway, orders"):
        logs(shop.workspace, ["basket"])
    assert shop.up("catalog", catalog=1).replicas[0].service == "catalog"
    assert len(shop.ids()["catalog"]) == 1
    ended = down(shop.workspace, volumes=True)
    assert (ended.engine, len(ended.ended)) == ("docker", 3)
    assert not shop.left()
    assert not shop.engine.observe().running


ASK = """
import os, urllib.error, urllib.request
for name in ("PAYMENTS_URL", "STOCK_URL"):
    try:
        print(urllib.request.urlopen(os.environ[name] + "/v1/x").status)
    except urllib.error.HTTPError as error:
        print(error.code, error.headers["content-type"])
"""


def test_calls_to_services_outside_the_workspace(shop: DockerWorkspace) -> None:
    catalog = tiny(shop.root, "catalog", calls=["payments", "stock"])
    (catalog / "clients").mkdir()
    (catalog / "clients/stock.openapi.json").write_text(json.dumps({"paths": {}}))
    # Any other address than that of its compose.yaml, which does not exist.
    (shop.root / "svcgen.yaml").write_text("external: {payments: {url: http://catalog:8080}}\n")
    assert [note.problem[:7] for note in shop.up().absent] == ['"stock"']
    (container,) = shop.ids("catalog")["catalog"]
    said = docker("exec", container, "python", "-c", ASK).splitlines()
    assert said == ["200", "503 application/problem+json"]


def test_nothing_that_changes_loses_a_request(shop: DockerWorkspace) -> None:
    orders = tiny(shop.root, "orders", migrates=True)
    catalog = tiny(shop.root, "catalog")
    shop.up()
    gateway = shop.ids("gateway")
    with load(shop.port, 60, ["/v1/orders", "/v1/catalog"]) as outcomes:
        first = shop.ids("catalog", "orders")
        build(orders, "two")
        build(catalog, "two")
        shop.up("orders")
        assert (shop.get("/v1/orders")["build"], shop.get("/v1/catalog")["build"]) == ("two", "one")
        assert shop.ids("catalog")["catalog"] == first["catalog"]
        second = shop.ids("orders")
        shop.up()
        assert shop.get("/v1/catalog")["build"] == "two"
        assert shop.ids("orders") == second, "it was replaced already"
        tiny(shop.root, "basket")
        shop.up("basket")
        assert shop.get("/v1/basket")["build"] == "one"
        result = restart(shop.workspace, "catalog")
        assert [replica.state for replica in result.replicas] == ["ready"]
        shutil.rmtree(shop.root / "basket")
        shop.up()
        assert "basket" not in shop.ids()
    assert shop.ids("gateway") == gateway
    assert not _failed(outcomes)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("broken", "orders ended .*\n  DATABASE_URL: missing(.|\n)*The old one stays"),
        ("unmigratable", UNMIGRATED),
    ],
)
def test_a_replica_that_does_not_start_is_taken_away(
    shop: DockerWorkspace, fault: str, problem: str
) -> None:
    orders = tiny(shop.root, "orders", migrates=fault == "unmigratable")
    shop.up()
    before = shop.ids()
    build(orders, fault)
    with load(shop.port, 60, ["/v1/orders"]) as outcomes:
        with pytest.raises(SvcgenError, match=problem):
            shop.up("orders")
        assert shop.ids() == before
    assert not _failed(outcomes)
    build(orders, "three")
    shop.up()
    assert shop.get("/v1/orders")["build"] == "three"


def test_a_first_start_that_fails_says_why(shop: DockerWorkspace) -> None:
    build(tiny(shop.root, "orders"), "broken")
    with pytest.raises(SvcgenError, match=r"(?s)orders ended .* in a row.*DATABASE_URL: missing"):
        shop.up()
    (shop.root / "orders" / "Dockerfile").write_text("FROM scratch\nCOPY nothing .\n")
    with pytest.raises(SvcgenError, match=r"(?s)orders cannot be built:.*nothing"):
        shop.up()


def test_a_first_migration_that_fails_runs_once_with_each_up(shop: DockerWorkspace) -> None:
    orders = tiny(shop.root, "orders", migrates=True)
    build(orders, "unmigratable")
    for _ in range(2):
        with pytest.raises(SvcgenError, match=UNMIGRATED):
            shop.up()
    build(orders, "two")
    shop.up()
    assert shop.get("/v1/orders")["build"] == "two"


def test_what_prevents_a_start_is_named(shop: DockerWorkspace, tmp_path: Path) -> None:
    tiny(shop.root, "orders")
    (shop.root / "svcgen.yaml").write_text(f"name: {shop.root.name}-own\n")
    with socket.create_server(("127.0.0.1", shop.port)):
        with pytest.raises(SvcgenError, match=f"Port {shop.port} is in use") as found:
            shop.up()
        assert f"--port {shop.port + 1}" in found.value.advice
    with (
        changing(shop.root),
        pytest.raises(SvcgenError, match=rf"Another svcgen \(process {os.getpid()}\)"),
    ):
        shop.up()
    shop.up()
    (tmp_path / "other").mkdir()
    namesake = new_workspace(tmp_path / "other" / shop.root.name)
    tiny(namesake.root, "orders")
    shutil.copy(shop.root / "svcgen.yaml", namesake.root)
    with pytest.raises(SvcgenError, match=f"Another fleet .*: the one in {shop.root}"):
        namesake.up()
    with pytest.raises(SvcgenError, match="among the services that run"):
        shop.up(basket=2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_attached_up_shows_logs_and_its_end_is_down(shop: DockerWorkspace, number: int) -> None:
    tiny(shop.root, "orders")
    command = [sys.executable, "-m", "svcgen", "up", "--attach", f"--port={shop.port}"]
    attached = subprocess.Popen(
        command, cwd=shop.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert any("orders one listens" in line for line in attached.stdout or ())
    attached.send_signal(number)
    attached.communicate(timeout=60)
    assert attached.returncode == 0
    assert not shop.ids()


@pytest.mark.parametrize("seconds", [0.5, 1.5, 3.0])
def test_a_killed_up_leaves_nothing_that_down_cannot_end(
    shop: DockerWorkspace, seconds: float
) -> None:
    tiny(shop.root, "orders", migrates=True)
    command = [sys.executable, "-m", "svcgen", "up", "--engine=docker", f"--port={shop.port}"]
    started = subprocess.Popen(
        command, cwd=shop.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(seconds)
    started.kill()
    started.wait()
    down(shop.workspace, volumes=True)
    assert not shop.left()
    time.sleep(1)
    assert not shop.left(), "a `docker compose` that was left behind has gone on"


def test_two_checkouts_of_one_workspace_run_their_own_code_and_keep_their_own_data(
    shop: DockerWorkspace, tmp_path: Path
) -> None:
    tiny(shop.root, "orders")
    other = new_workspace(tmp_path / "worktrees" / shop.root.name)
    build(tiny(other.root, "orders"), "other")
    try:
        shop.up()
        other.up()
        restart(shop.workspace, "orders")
        assert (shop.get("/v1/orders")["build"], other.get("/v1/orders")["build"]) == (
            "one",
            "other",
        )
    finally:
        down(other.workspace, volumes=True)
    assert not other.left()
    assert shop.get("/v1/orders")["build"] == "one"


def test_helpers_of_the_override_and_new_dependencies_are_started_and_brought_back(
    shop: DockerWorkspace,
) -> None:
    orders = tiny(shop.root, "orders")
    shop.up()
    first = shop.ids("orders")
    helper = {
        "image": "python:3.14-slim-trixie",
        "command": ["sleep", "1000"],
        "init": True,
        "networks": ["platform"],
    }
    once = {**helper, "command": ["true"]}

    def add_cache(written: dict[str, Any]) -> None:
        written["services"]["cache"] = helper
        written["services"]["orders"]["depends_on"] = ["cache"]

    edit(orders / "compose.yaml", add_cache)
    (shop.root / "compose.override.yaml").write_text(
        json.dumps({"services": {"mail": helper, "prepare": once}})
    )
    shop.up("orders")
    assert set(shop.ids()) == {"cache", "gateway", "orders"}, "the named one and what it needs"
    assert shop.ids("orders") != first
    shop.up()
    rows = {replica.service: replica.state for replica in ps(shop.workspace).replicas}
    assert rows == {
        **dict.fromkeys(("cache", "gateway", "mail", "orders"), "ready"),
        "prepare": "exited",
    }
    before = shop.ids()
    shop.up()
    assert shop.ids() == before
    docker("kill", *before["cache"], *before["mail"])
    shop.up()
    after = shop.ids()
    assert set(after) == set(before)
    assert {name for name in before if after[name] != before[name]} == {"cache", "mail"}


def test_down_ends_a_watch(shop: DockerWorkspace) -> None:
    orders = tiny(shop.root, "orders")

    def watch(written: dict[str, Any]) -> None:
        rebuild = {"action": "rebuild", "path": "."}
        written["services"]["orders"]["develop"] = {"watch": [rebuild]}

    edit(orders / "compose.yaml", watch)
    command = [sys.executable, "-m", "svcgen", "up", "--watch", f"--port={shop.port}"]
    with subprocess.Popen(
        command, cwd=shop.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as watching:
        _until((shop.root / ".svcgen" / "watch.lock").exists, 60)
        down(shop.workspace)
        assert watching.wait(timeout=60) == 0
    build(orders, "two")
    time.sleep(2)
    assert not shop.ids()


def test_down_shows_that_a_service_does_not_stop(
    shop: DockerWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("svcgen.run.docker.reconcile.PROGRESS_SECONDS", 0.3)
    tiny(shop.root, "orders")
    shop.up()
    reported: list[tuple[str, str]] = []
    down(shop.workspace, report=lambda *text: reported.append(text))
    steps = [text for service, text in reported if service == "orders"]
    assert (steps[0], steps[-1]) == ("stopping", "stopped")
    assert any("killed after its grace period" in text for text in steps)


def test_a_lost_password_is_named_with_the_way_out(
    shop: DockerWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = tiny(shop.root, "orders")

    def database(written: dict[str, Any]) -> None:
        written["services"]["orders"]["volumes"] = ["orders-db:/data"]
        written["volumes"] = {"orders-db": {}}

    edit(orders / "compose.yaml", database)
    edit(orders / ".copier-answers.yml", lambda answers: answers.update(database="postgres"))
    shop.up()
    down(shop.workspace)
    shutil.rmtree(shop.root / ".svcgen")
    state_folder(shop.root)
    with pytest.raises(SvcgenError, match="the data of orders's database, and its password is lo"):
        shop.up()
    monkeypatch.setenv("ORDERS_DB_PASSWORD", "known")
    shop.up()
    monkeypatch.delenv("ORDERS_DB_PASSWORD")
    shop.up()
    down(shop.workspace, volumes=True)
    shop.up()


def _failed(outcomes: list[Outcome]) -> list[Outcome]:
    assert len(outcomes) > 50
    return [outcome for outcome in outcomes if outcome.failed]


def _until(holds: object, seconds: float = 60) -> None:
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.2)
