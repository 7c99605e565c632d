"""A Python service's own targets on a fresh checkout: with uv, and with nothing but pip."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.checkout import (
    Checkout,
    assert_dev_starts_again,
    assert_format_and_generate_make_it_as_it_was,
    assert_generate_keeps_what_it_cannot_write,
    assert_lint_finds,
    check_out,
    migrate_twice_at_once,
)
from tests.support.killed_tests import assert_a_service_ends_with_its_tests
from tests.support.services import Rendered, copied

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local")]
CALLS = ["catalog", "order-items", "import", "a10", "a2", "b" * 40]
LONGEST = {"name": "a" * 40, "stack": "python", "calls": CALLS}
SHORTEST = {"name": "o", "stack": "python", "database": "postgres", "calls": ["catalog"]}


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
    root = tmp_path_factory.mktemp("pip")
    return check_out(root, LONGEST, surroundings(root, with_uv=False))


@pytest.fixture(scope="module")
def with_database(
    tmp_path_factory: pytest.TempPathFactory, postgres: Callable[[str], str]
) -> Checkout:
    """A service with the shortest name, made ready by uv, by two makes at once."""
    root = tmp_path_factory.mktemp("uv")
    environment = {**surroundings(root, with_uv=True), "DATABASE_URL": postgres("stack-python")}
    made = check_out(root, SHORTEST, environment)
    migrate_twice_at_once(made, timeout=120)
    return made


def test_lint_is_silent(checkout: Checkout) -> None:
    assert checkout.succeed("lint") == ""


def test_lint_finds_faults_of_style_and_of_types(in_memory: Checkout) -> None:
    source = in_memory.folder / "src/app/models.py"
    types = (source, '\n\nx: int = "1"\n', "Incompatible types")
    assert_lint_finds(in_memory, (source, "\n\nx =  1\n", ""), types)


def test_a_fresh_service_is_in_shape_and_its_openapi_is_true(checkout: Checkout) -> None:
    types = (checkout.folder / "src/app/clients").glob("*_openapi.py")
    generated = [checkout.folder / "openapi.json", *types]
    source = checkout.folder / "src/app/health.py"
    assert_format_and_generate_make_it_as_it_was(checkout, source, generated, comment="#")


def test_what_cannot_be_generated_stays_as_it_was(in_memory: Checkout) -> None:
    assert_generate_keeps_what_it_cannot_write(in_memory, in_memory.folder / "src/app/server.py")


def test_its_own_tests_pass(checkout: Checkout) -> None:
    said = checkout.succeed("test")
    assert " passed" in said
    assert "skipped" not in said


@pytest.mark.parametrize("database", ["none", "postgres"])
def test_a_service_without_the_example_is_whole(
    with_database: Checkout, tmp_path: Path, database: str
) -> None:
    answers = {"name": "o", "stack": "python", "database": database, "example": "none"}
    bare = check_out(tmp_path, answers, with_database.environment)
    lend_environment(with_database, bare)
    assert bare.succeed("lint") == ""
    bare.succeed("generate")
    assert bare.folder / "openapi.json" not in bare.changed()
    said = bare.succeed("migrate", "test")
    assert " passed" in said
    assert "skipped" not in said
    if database == "postgres":
        begun = bare.succeed("migration", NAME="add_price", DATABASE_URL="").strip()
        assert begun == "src/migrations/versions/0001_add_price.py"


def lend_environment(lender: Checkout, borrower: Checkout) -> None:
    """Use one virtual environment, with the packages of a database, in another service."""
    (borrower.folder / ".venv").symlink_to(lender.folder / ".venv")
    (ready,) = (lender.folder / ".venv").glob("ready-*")
    lock = borrower.folder / "requirements-dev.txt"
    lock.write_bytes((lender.folder / lock.name).read_bytes())
    assert ready.exists()


@pytest.mark.parametrize(
    ("version", "found"), [("echo Python 3.9.2", "Python 3.9.2"), ("exit 1", "missing")]
)
def test_make_names_the_python_that_it_needs(
    rendered: Rendered, tmp_path: Path, version: str, found: str
) -> None:
    folder = copied(rendered(name="orders", stack="python"), tmp_path / "orders")
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\ntest $1 = --version && {version}\n")
    python.chmod(0o755)
    environment = {**surroundings(tmp_path, with_uv=False), "PYTHON": str(python)}
    for target in ("run", "dev", "test", "lint", "generate"):
        done = Checkout(folder, environment, {}).make(target)
        assert done.returncode == 2
        assert done.stdout.startswith("This service needs Python 3.11 or newer; ")
        assert f" is {found}. Install it from " in done.stdout.splitlines()[0]


def test_a_dependency_is_added_without_an_upgrade(with_database: Checkout) -> None:
    paths = [with_database.folder / name for name in ("requirements.txt", "requirements-dev.txt")]
    before = [set(path.read_text().splitlines()) for path in paths]
    assert with_database.succeed("add", NAME="iniconfig") == ""
    after = [set(path.read_text().splitlines()) for path in paths]
    added = [new - old for old, new in zip(before, after, strict=True)]
    assert [old - new for old, new in zip(before, after, strict=True)] == [set(), set()]
    assert {line.partition("==")[0].strip() for line in added[0] if "==" in line} == {"iniconfig"}
    assert added[1] == set()  # pytest brought it
    assert '"iniconfig"' in (with_database.folder / "pyproject.toml").read_text()
    changed = with_database.changed()
    assert with_database.make("add", NAME="no package").returncode
    assert with_database.changed() == changed


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_service_ends_with_its_tests(in_memory: Checkout) -> None:
    assert_a_service_ends_with_its_tests(in_memory)


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
    source = with_database.folder / "src/app/server.py"
    assert_dev_starts_again(with_database, source, timeout=30)


def test_lock_names_no_registry(with_database: Checkout) -> None:
    locks = [with_database.folder / f"requirements{which}.txt" for which in ("", "-dev")]
    for path in locks:
        path.write_text("")
    with_database.succeed("lock")
    for path in locks:
        lock = path.read_text()
        assert "--hash=sha256:" in lock
        assert "://" not in lock
