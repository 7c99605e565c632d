"""A TypeScript service's own targets on a fresh checkout."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from svcgen.contract.client import free_port
from svcgen.render.render import render_service
from svcgen.toolchains import surroundings

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local", "typescript")]
LONGEST = {"name": "a" * 40, "stack": "typescript", "calls": ["class", "b" * 40, "a-10", "a-2"]}
SHORTEST = {"name": "o", "stack": "typescript", "database": "postgres"}


@dataclass(frozen=True)
class Checkout:
    """A service's folder, and the environment in which its targets run."""

    folder: Path
    environment: Mapping[str, str]
    rendered: Mapping[Path, bytes]

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["make", "-s", *words],
            cwd=self.folder,
            env={**self.environment, **variables},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def succeed(self, *words: str, **variables: str) -> str:
        running = self.start(*words, **variables)
        said, _ = running.communicate(timeout=300)
        assert running.returncode == 0, said
        return said


def check_out(root: Path, answers: Mapping[str, object], **variables: str) -> Checkout:
    """Render a service, and let two makes at once install what it needs."""
    folder = render_service(root / str(answers["name"]), answers)
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    made = Checkout(folder, {**surroundings("typescript", kept), **variables}, files)
    both = [made.start("migrate") for _ in range(2)]
    said = [one.communicate(timeout=300)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    return made


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A service with the longest name, and names in its calls that are words of the language."""
    return check_out(tmp_path_factory.mktemp("memory"), LONGEST)


@pytest.fixture(scope="module")
def with_database(
    tmp_path_factory: pytest.TempPathFactory, postgres: Callable[[str], str]
) -> Checkout:
    """A service with the shortest name."""
    url = postgres("stack-typescript")
    return check_out(tmp_path_factory.mktemp("postgres"), SHORTEST, DATABASE_URL=url)


@pytest.fixture(params=["in_memory", "with_database"])
def checkout(request: pytest.FixtureRequest) -> Checkout:
    """Each of them in turn."""
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Checkout)
    return made


def test_lint_is_silent(checkout: Checkout) -> None:
    assert checkout.succeed("lint") == ""


def test_lint_tells_faults_of_style_and_of_types(in_memory: Checkout) -> None:
    source = in_memory.folder / "src/health.ts"
    for fault in ("export const  x = 1\n", 'export const x: number = "1";\n'):
        source.write_bytes(in_memory.rendered[source] + fault.encode())
        linting = in_memory.start("lint")
        assert "src/health.ts" in linting.communicate()[0]
        assert linting.returncode
    source.write_bytes(in_memory.rendered[source])


def test_a_fresh_service_is_in_shape_and_what_is_generated_is_true(checkout: Checkout) -> None:
    checkout.succeed("format")
    checkout.succeed("generate", DATABASE_URL="")
    changed = [path for path, text in checkout.rendered.items() if path.read_bytes() != text]
    assert changed == []


def test_its_own_tests_pass(checkout: Checkout) -> None:
    said = checkout.succeed("test")
    assert "pass 4" in said
    assert "fail 0" in said
    assert "skipped 0" in said


def test_without_a_database_its_tests_skip_with_the_reason(with_database: Checkout) -> None:
    said = with_database.succeed("test", DATABASE_URL="", DOCKER_HOST="unix:///nowhere")
    assert "DATABASE_URL is not set" in said


def test_packages_are_installed_again_only_when_the_lock_changes(in_memory: Checkout) -> None:
    (ready,) = (in_memory.folder / "node_modules").glob(".ready-*")
    made = ready.stat().st_mtime_ns
    lock = in_memory.folder / "package-lock.json"
    lock.touch()
    in_memory.succeed("migrate")
    assert ready.stat().st_mtime_ns == made
    lock.write_text(json.dumps(json.loads(lock.read_text())))
    in_memory.succeed("migrate")
    (other,) = (in_memory.folder / "node_modules").glob(".ready-*")
    assert other != ready
    lock.write_bytes(in_memory.rendered[lock])
    left = in_memory.folder.glob(".npm-*")
    assert list(left) == []


def test_dev_starts_again_after_a_save(with_database: Checkout) -> None:
    port = free_port()
    source = with_database.folder / "src/server.ts"
    with ended(with_database.start("dev", PORT=str(port))):
        until(lambda: version(port) == "1.0.0")
        source.write_text(source.read_text().replace("1.0.0", "2.0.0"))
        until(lambda: version(port) == "2.0.0")
    source.write_bytes(with_database.rendered[source])


def test_lock_names_no_registry(checkout: Checkout, tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json", ".npmrc", "Makefile"):
        shutil.copy(checkout.folder / name, tmp_path)
    locking = Checkout(tmp_path, checkout.environment, {})
    locking.succeed("lock")
    lock = json.loads((tmp_path / "package-lock.json").read_text())
    packages = [package for name, package in lock["packages"].items() if name]
    assert packages
    assert all("resolved" not in package and package["integrity"] for package in packages)
    assert (tmp_path / "package.json").read_bytes() == (
        checkout.folder / "package.json"
    ).read_bytes()


def test_both_variants_have_the_same_tools(in_memory: Checkout, with_database: Checkout) -> None:
    memory, postgres = (
        json.loads((one.folder / "package.json").read_text()) for one in (in_memory, with_database)
    )
    memory["dependencies"]["pg"] = postgres["dependencies"]["pg"]
    memory["devDependencies"]["@types/pg"] = postgres["devDependencies"]["@types/pg"]
    assert memory == postgres


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"PORT": "0x50"}, "PORT"),
        ({"DRAIN_SECONDS": "1e400"}, "DRAIN_SECONDS"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ],
)
def test_a_wrong_environment_is_one_line(
    with_database: Checkout, variables: Mapping[str, str], reason: str
) -> None:
    said, _ = with_database.start("run", **variables).communicate(timeout=60)
    line, *more = [one for one in said.splitlines() if not one.startswith("make")]
    assert more == []
    assert json.loads(line)["msg"].startswith(f"{reason}: ")


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


@contextmanager
def ended(running: subprocess.Popen[str]) -> Iterator[None]:
    """End a make and all below it."""
    try:
        yield
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
