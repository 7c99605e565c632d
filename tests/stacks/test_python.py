"""A Python service's own targets on a fresh checkout: with uv, and with nothing but pip."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from svcgen.contract.client import free_port
from svcgen.render.render import render_service

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local")]
CALLS = ["catalog", "order-items", "import", "a10", "a2", "b" * 40]
LONGEST = {"name": "a" * 40, "stack": "python", "calls": CALLS}
SHORTEST = {"name": "o", "stack": "python", "database": "postgres"}


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


def check_out(root: Path, answers: Mapping[str, object], *, with_uv: bool) -> Checkout:
    folder = render_service(root / str(answers["name"]), answers)
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return Checkout(folder, surroundings(root, with_uv=with_uv), files)


def surroundings(root: Path, *, with_uv: bool) -> dict[str, str]:
    """Return this machine's environment with a PATH that has uv, or has not."""
    programs = root / "bin"
    programs.mkdir()
    if with_uv:
        beside = Path(sys.executable).with_name("uv")
        (programs / "uv").symlink_to(beside if beside.exists() else str(shutil.which("uv")))
    others = [one for one in os.environ["PATH"].split(":") if not Path(one, "uv").exists()]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    python = Path(sys.executable).resolve()  # not this environment's: its own folder may be gone
    return {**kept, "PATH": ":".join([str(programs), *others]), "PYTHON": str(python)}


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A service with the longest name, made ready by pip."""
    return check_out(tmp_path_factory.mktemp("pip"), LONGEST, with_uv=False)


@pytest.fixture(scope="module")
def with_database(
    tmp_path_factory: pytest.TempPathFactory, postgres: Callable[[str], str]
) -> Checkout:
    """A service with the shortest name, made ready by uv, by two makes at once."""
    made = check_out(tmp_path_factory.mktemp("uv"), SHORTEST, with_uv=True)
    environment = {**made.environment, "DATABASE_URL": postgres("stack-python")}
    both = [
        subprocess.Popen(["make", "-s", "migrate"], cwd=made.folder, env=environment)
        for _ in range(2)
    ]
    assert [one.wait(120) for one in both] == [0, 0]
    return Checkout(made.folder, environment, made.rendered)


@pytest.fixture(params=["in_memory", "with_database"])
def checkout(request: pytest.FixtureRequest) -> Checkout:
    """Each of them in turn."""
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Checkout)
    return made


def test_lint_is_silent(checkout: Checkout) -> None:
    assert checkout.succeed("lint") == ""


def test_a_fresh_service_is_in_shape_and_its_openapi_is_true(checkout: Checkout) -> None:
    checkout.succeed("format")
    checkout.succeed("generate", DATABASE_URL="")
    changed = [path for path, text in checkout.rendered.items() if path.read_bytes() != text]
    assert changed == []


def test_its_own_tests_pass(checkout: Checkout) -> None:
    said = checkout.succeed("test")
    assert " passed" in said
    assert "skipped" not in said


def test_without_a_database_its_tests_skip_with_the_reason(with_database: Checkout) -> None:
    said = with_database.succeed("test", DATABASE_URL="", DOCKER_HOST="unix:///nowhere")
    assert "DATABASE_URL is not set" in said


def test_the_environment_is_made_again_only_when_the_lock_changes(in_memory: Checkout) -> None:
    in_memory.succeed("lint")
    (ready,) = (in_memory.folder / ".venv").glob("ready-*")
    made = ready.stat().st_mtime_ns
    (in_memory.folder / "requirements-dev.txt").touch()
    in_memory.succeed("lint")
    assert ready.stat().st_mtime_ns == made


def test_dev_starts_again_after_a_save(with_database: Checkout) -> None:
    port = free_port()
    source = with_database.folder / "src/app/server.py"
    dev = subprocess.Popen(
        ["make", "-s", "dev"],
        cwd=with_database.folder,
        env={**with_database.environment, "PORT": str(port)},
        start_new_session=True,
    )
    try:
        until(lambda: version(port) == "1.0.0")
        source.write_text(source.read_text().replace("1.0.0", "2.0.0"))
        until(lambda: version(port) == "2.0.0")
    finally:
        os.killpg(dev.pid, signal.SIGKILL)
        dev.wait()
        source.write_bytes(with_database.rendered[source])


def version(port: int) -> str:
    import httpx

    try:
        document = httpx.get(f"http://127.0.0.1:{port}/openapi.json", timeout=2).json()
        return str(document["info"]["version"])
    except httpx.TransportError:
        return ""


def until(reached: Callable[[], bool], patience: float = 30) -> None:
    end = time.monotonic() + patience
    while not reached():
        assert time.monotonic() < end, "not reached in time"
        time.sleep(0.1)


def test_lock_names_no_registry(with_database: Checkout) -> None:
    with_database.succeed("lock")
    for name in ("requirements.txt", "requirements-dev.txt"):
        lock = (with_database.folder / name).read_text()
        assert "--hash=sha256:" in lock
        assert "://" not in lock
