"""`svcgen run NAME`: a process of the terminal serves a service until it ends."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from svcgen.env_file import read_env_file
from tests.support.local_fleet import LocalWorkspace, load, tiny, until, workspace
from tests.support.run import SVCGEN, environment, svcgen

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    for shop in workspace(tmp_path / "shop"):
        tiny(shop.root, "orders", database="postgres")
        tiny(shop.root, "catalog", calls=["orders"])
        yield shop


@contextmanager
def running(shop: LocalWorkspace, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `svcgen run orders` with another build, and wait until it serves the requests."""
    (shop.root / "orders" / "build.txt").write_text("mine")
    with (shop.root.parent / "output").open("w") as output:
        process = subprocess.Popen(
            [*SVCGEN, "run", "orders", *words],
            cwd=shop.root,
            env=environment({"OF_THE_SHELL": "1"}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: "your process" in printed(shop))
        until(lambda: len(shop.rows("orders")) == 1)
        yield process
    finally:
        process.kill()
        process.wait()


def printed(shop: LocalWorkspace) -> str:
    return (shop.root.parent / "output").read_text()


def build(shop: LocalWorkspace) -> object:
    return shop.get("/v1/orders")[1].get("build")


def test_a_process_of_the_terminal_serves_until_it_ends(shop: LocalWorkspace) -> None:
    shop.up(orders=2)
    others = shop.rows("catalog") + shop.rows("gateway") + shop.rows("database")
    with load(shop.port, "/v1/orders", rate=50) as statuses, running(shop) as process:
        assert list(statuses) == [200]
        assert build(shop) == "mine"
        called = shop.get("/v1/catalog/call/orders")[1]
        assert called["build"] == "mine", "other services call it, too"
        given = psutil.Process(called["pid"]).environ()
        assert given["DATABASE_URL"].startswith("postgresql://orders:")
        assert given["OF_THE_SHELL"] == "1"
        row = shop.rows("orders")[0]
        assert (row.state, row.address) == ("ready", f"127.0.0.1:{given['PORT']}")
        assert "orders: served by `svcgen run`" in svcgen("ps", within=shop.root).stderr
        for words in (("up", "orders"), ("restart", "orders"), ("run", "orders")):
            refused = svcgen(*words, within=shop.root)
            assert refused.returncode == 1
            assert "`svcgen run` serves orders (process" in refused.stderr, words
        assert svcgen("up", within=shop.root).returncode == 0
        assert build(shop) == "mine"
        (shop.root / "orders" / "build.txt").write_text("again")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        assert "ready" in printed(shop).splitlines()[-1]
    assert build(shop) == "again"
    assert [row.state for row in shop.rows("orders")] == ["ready"] * 2
    assert shop.rows("catalog") + shop.rows("gateway") + shop.rows("database") == others
    assert not psutil.pid_exists(called["pid"])
    assert svcgen("ps", within=shop.root).stderr == ""


def test_a_process_of_the_user_serves_until_the_end_of_up_on_host(shop: LocalWorkspace) -> None:
    """As an IDE starts one: with the file of variables, in no terminal of svcgen."""
    with (shop.root.parent / "output").open("w") as output:
        process = subprocess.Popen(
            [*SVCGEN, "up", "--engine", "local", "--port", str(shop.port), "--on-host", "orders"],
            cwd=shop.root,
            env=environment({}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: "with the variables of" in printed(shop), seconds=120)
        file = shop.root / ".svcgen" / "orders.env"
        assert file.stat().st_mode & 0o777 == 0o600
        variables = read_variables(file)
        assert variables["DATABASE_URL"].startswith("postgresql://orders:")
        assert f"start it on 127.0.0.1:{variables['PORT']} with" in printed(shop)
        (shop.root / "orders" / "build.txt").write_text("mine")
        folder = shop.root / "orders"
        own = [sys.executable, "server.py"]
        with (
            load(shop.port, "/v1/orders", rate=50) as statuses,
            subprocess.Popen(own, cwd=folder, env=environment(variables)) as started,
        ):
            until(lambda: build(shop) == "mine")
            started_pid = shop.get("/v1/catalog/call/orders")[1]["pid"]
            assert started_pid == started.pid, "other services call it, too"
            assert list(statuses) == [200]
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
            assert started.poll() is None, "it belongs to the user"
            started.terminate()
        assert not file.exists()
        assert [row.state for row in shop.rows("orders")] == ["ready"]
        assert shop.get("/v1/orders")[0] == 200
    finally:
        process.kill()
        process.wait()


def read_variables(file: Path) -> dict[str, str]:
    copied = file.with_name("copy") / ".env"
    copied.parent.mkdir()
    copied.write_text(file.read_text())
    return {name: value or "" for name, value in read_env_file(copied.parent).items()}


def test_what_is_killed_is_given_back(shop: LocalWorkspace) -> None:
    shop.up()
    with running(shop, "--", "python3", "server.py") as process:
        own = shop.rows("orders")[0].pid
        (shop.root / "orders" / "build.txt").write_text("again")
        process.kill()
        until(lambda: build(shop) == "again")
    until(lambda: not psutil.pid_exists(own))
    note = "its `svcgen run` was killed; the replica of the fleet was started again"
    assert f"orders: {note}" in svcgen("ps", within=shop.root).stderr
    assert f"orders          {note}\n" in svcgen("up", within=shop.root).stderr
    assert svcgen("ps", within=shop.root).stderr == ""


def test_another_supervisor_continues(shop: LocalWorkspace) -> None:
    shop.up()
    with running(shop) as process:
        supervisor = next(each.pid for each in shop.left() if not each.replica)
        os.kill(supervisor, signal.SIGKILL)
        until(lambda: "the supervisor of the fleet has ended" in printed(shop))
        assert build(shop) == "mine"
        assert svcgen("up", within=shop.root).returncode == 0
        assert build(shop) == "mine"
        (shop.root / "orders" / "build.txt").write_text("again")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        until(lambda: build(shop) == "again")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("sh", "-c", "echo $PORT; exit 3"), 3, "orders          ready\n"),
        (("not-a-program",), 1, "`not-a-program` cannot be started: No such file"),
    ],
)
def test_a_command_that_never_serves_changes_nothing(
    shop: LocalWorkspace, words: tuple[str, ...], code: int, text: str
) -> None:
    shop.up()
    before = shop.rows("orders")
    with load(shop.port, "/v1/orders", rate=50) as statuses:
        done = svcgen("run", "orders", "--", *words, within=shop.root)
    assert done.returncode == code, done.stderr
    assert text in done.stderr
    assert list(statuses) == [200]
    until(lambda: shop.rows("orders") == before)


def test_code_that_does_not_start_is_named_at_the_end(shop: LocalWorkspace) -> None:
    shop.up()
    with running(shop) as process:
        (shop.root / "orders" / "broken").touch()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 1
        assert "ended before it was ready (exit code 1)" in printed(shop)
        (shop.root / "orders" / "broken").unlink()
        until(lambda: [row.state for row in shop.rows("orders")] == ["ready"])
        assert build(shop) == "mine"


def test_down_ends_the_process(shop: LocalWorkspace) -> None:
    shop.up()
    with running(shop) as process:
        shop.down()
        assert not shop.left()
        process.wait(timeout=60)


def test_ctrl_c_at_a_terminal_ends_it(shop: LocalWorkspace) -> None:
    shop.up()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *SVCGEN, "run", "orders"],
        cwd=shop.root,
        env=environment({}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while b"your process" not in shown:
        shown += os.read(ours, 1024)
    os.write(ours, b"\x03")
    assert process.wait(timeout=60) == 0
    os.close(ours)
    assert [row.state for row in shop.rows("orders")] == ["ready"]


def test_a_service_that_does_not_run_is_refused(shop: LocalWorkspace) -> None:
    done = svcgen("run", "orders", within=shop.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert "No fleet is running.\nStart it: svcgen up\n" in done.stderr
