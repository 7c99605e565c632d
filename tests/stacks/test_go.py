"""A Go service's own targets on a fresh checkout."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from svcgen.contract.client import free_port
from svcgen.render.render import render_service

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local", "go")]
CALLS = ["catalog", "order-items", "order", "import", "internal", "a10", "a2", "b" * 40]
LONGEST = {"name": "a" * 40, "stack": "go", "calls": CALLS}
SHORTEST = {"name": "o", "stack": "go", "database": "postgres", "organization": "zz.example"}


@dataclass(frozen=True)
class Checkout:
    """A service's folder, and the environment in which its targets run."""

    folder: Path
    environment: Mapping[str, str]
    rendered: Mapping[Path, bytes]

    def make(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "-s", *words],
            cwd=self.folder,
            env={**self.environment, **variables},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def succeed(self, *words: str, **variables: str) -> str:
        done = self.make(*words, **variables)
        assert done.returncode == 0, done.stdout
        return done.stdout


def check_out(root: Path, answers: Mapping[str, object], **variables: str) -> Checkout:
    folder = render_service(root / str(answers["name"]), answers)
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return Checkout(folder, {**kept, **variables}, files)


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A service with the longest name, which calls some that have names of Go's own."""
    return check_out(tmp_path_factory.mktemp("go"), LONGEST)


@pytest.fixture(scope="module")
def with_database(
    tmp_path_factory: pytest.TempPathFactory, postgres: Callable[[str], str]
) -> Checkout:
    """A service with the shortest name, made ready by two makes at once."""
    made = check_out(tmp_path_factory.mktemp("go"), SHORTEST, DATABASE_URL=postgres("stack-go"))
    both = [
        subprocess.Popen(["make", "-s", "migrate"], cwd=made.folder, env=made.environment)
        for _ in range(2)
    ]
    assert [one.wait(300) for one in both] == [0, 0]
    return made


@pytest.fixture(params=["in_memory", "with_database"])
def checkout(request: pytest.FixtureRequest) -> Checkout:
    """Each of them in turn."""
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Checkout)
    return made


def test_lint_is_silent(checkout: Checkout) -> None:
    assert checkout.succeed("lint") == ""


def test_lint_finds_a_fault(with_database: Checkout) -> None:
    fault = with_database.folder / "fault.go"
    fault.write_text("package main\n\nfunc unused() {\n}\n")
    try:
        assert "unused" in with_database.make("lint").stdout
    finally:
        fault.unlink()


def test_a_fresh_service_is_in_shape_and_its_types_are_true(checkout: Checkout) -> None:
    checkout.succeed("format")
    checkout.succeed("generate")
    changed = [path for path, text in checkout.rendered.items() if path.read_bytes() != text]
    assert changed == []


def test_its_own_tests_pass(checkout: Checkout) -> None:
    said = checkout.succeed("test")
    assert "ok " in said
    assert "skipped" not in said


def test_without_a_database_its_tests_skip_with_the_reason(with_database: Checkout) -> None:
    said = with_database.succeed("test", DATABASE_URL="", DOCKER_HOST="unix:///nowhere")
    assert "DATABASE_URL is not set" in said


def test_nothing_is_built_again_while_nothing_changes(with_database: Checkout) -> None:
    program = with_database.folder / ".make/service"
    made = program.stat().st_mtime_ns
    with_database.succeed("migrate")
    assert program.stat().st_mtime_ns == made


def test_dev_starts_again_after_a_save(with_database: Checkout) -> None:
    port = free_port()
    document = with_database.folder / "openapi.json"
    dev = subprocess.Popen(
        ["make", "-s", "dev"],
        cwd=with_database.folder,
        env={**with_database.environment, "PORT": str(port)},
        start_new_session=True,
    )
    try:
        until(lambda: version(port) == "1.0.0")
        document.write_text(document.read_text().replace("1.0.0", "2.0.0"))
        until(lambda: version(port) == "2.0.0")
    finally:
        os.killpg(dev.pid, signal.SIGKILL)
        dev.wait()
        document.write_bytes(with_database.rendered[document])


def version(port: int) -> str:
    import httpx

    try:
        document = httpx.get(f"http://127.0.0.1:{port}/openapi.json", timeout=2).json()
        return str(document["info"]["version"])
    except httpx.TransportError:
        return ""


def until(reached: Callable[[], bool], patience: float = 60) -> None:
    end = time.monotonic() + patience
    while not reached():
        assert time.monotonic() < end, "not reached in time"
        time.sleep(0.1)


def test_lock_is_complete_and_names_no_registry(with_database: Checkout) -> None:
    manifest, lock = (with_database.folder / name for name in ("go.mod", "go.sum"))
    with_database.succeed("lock")
    assert "go 1.26.0\n" in manifest.read_text()
    assert " h1:" in lock.read_text()
    assert "://" not in lock.read_text()
    with_database.succeed("test")
