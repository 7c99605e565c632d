"""A Java service's own targets on a fresh checkout."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from svcgen.contract.client import free_port
from svcgen.render.render import render_service
from svcgen.toolchains import surroundings

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local", "java")]
LONGEST = {"name": "a" * 40, "calls": ["b" * 40, "order-items"], "organization": "3-new.acme.com"}
SHORTEST = {"name": "new", "database": "postgres"}  # a word of the language too


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


def check_out(root: Path, answers: Mapping[str, object]) -> Checkout:
    folder = render_service(root / str(answers["name"]), {"stack": "java", **answers})
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return Checkout(folder, surroundings("java", kept), files)


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A service with the longest names."""
    return check_out(tmp_path_factory.mktemp("java"), LONGEST)


@pytest.fixture(scope="module")
def with_database(
    tmp_path_factory: pytest.TempPathFactory, postgres: Callable[[str], str]
) -> Checkout:
    """A service whose name is a keyword, built by two makes at once."""
    made = check_out(tmp_path_factory.mktemp("java"), SHORTEST)
    environment = {**made.environment, "DATABASE_URL": postgres("stack-java")}
    both = [
        subprocess.Popen(["make", "-s", "migrate"], cwd=made.folder, env=environment)
        for _ in range(2)
    ]
    assert [one.wait(300) for one in both] == [0, 0]
    return replace(made, environment=environment)


@pytest.fixture(params=["in_memory", "with_database"])
def checkout(request: pytest.FixtureRequest) -> Checkout:
    """Each of them in turn."""
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Checkout)
    return made


def test_lint_is_silent(checkout: Checkout) -> None:
    assert checkout.succeed("lint") == ""


def test_a_fresh_service_is_in_shape_and_its_generated_code_is_true(checkout: Checkout) -> None:
    checkout.succeed("format")
    checkout.succeed("generate", DATABASE_URL="")
    changed = [path for path, text in checkout.rendered.items() if path.read_bytes() != text]
    assert changed == []


def test_its_own_tests_pass(checkout: Checkout) -> None:
    assert checkout.succeed("test") == ""  # Maven tells of what fails or is left out


def test_without_a_database_its_tests_skip_with_the_reason(with_database: Checkout) -> None:
    said = with_database.succeed("test", DATABASE_URL="", DOCKER_HOST="unix:///nowhere")
    assert "DATABASE_URL is not set" in said


def test_nothing_is_built_again_when_nothing_changed(in_memory: Checkout) -> None:
    in_memory.succeed("migrate")
    jar = in_memory.folder / "target/app.jar"
    built = jar.stat().st_mtime_ns
    assert in_memory.succeed("migrate") == ""
    assert jar.stat().st_mtime_ns == built


def test_dev_starts_again_after_a_save(with_database: Checkout) -> None:
    port = free_port()
    source = with_database.folder / "openapi.json"
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


def until(reached: Callable[[], bool], patience: float = 90) -> None:
    end = time.monotonic() + patience
    while not reached():
        assert time.monotonic() < end, "not reached in time"
        time.sleep(0.1)


def test_lock_takes_releases_only(with_database: Checkout) -> None:
    pom = with_database.folder / "pom.xml"
    try:
        with_database.succeed("lock")
        assert "-M" not in pom.read_text()
        assert "-RC" not in pom.read_text()
        assert "://repo" not in pom.read_text()
    finally:
        pom.write_bytes(with_database.rendered[pom])
