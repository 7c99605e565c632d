"""A Go service's own targets on a fresh checkout."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.support.checkout import (
    Checkout,
    assert_dev_starts_again,
    assert_format_and_generate_make_it_as_it_was,
    check_out,
    environment_of,
    migrate_twice_at_once,
)
from tests.support.killed_tests import assert_a_service_ends_with_its_tests

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local", "go")]
CALLS = ["catalog", "order-items", "order", "import", "internal", "a10", "a2", "b" * 40]
LONGEST = {"name": "a" * 40, "stack": "go", "calls": CALLS}
SHORTEST = {
    "name": "o",
    "stack": "go",
    "database": "postgres",
    "calls": ["catalog"],
    "organization": "zz.example",
}


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A service with the longest name, which calls some that have names of Go's own."""
    return check_out(tmp_path_factory.mktemp("go"), LONGEST, environment_of("go"))


@pytest.fixture(scope="module")
def with_database(
    tmp_path_factory: pytest.TempPathFactory, postgres: Callable[[str], str]
) -> Checkout:
    """A service with the shortest name, made ready by two makes at once."""
    environment = environment_of("go", DATABASE_URL=postgres("stack-go"))
    made = check_out(tmp_path_factory.mktemp("go"), SHORTEST, environment)
    migrate_twice_at_once(made, timeout=300)
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
    types = (checkout.folder / "clients").glob("*/*.go")
    source = checkout.folder / "health.go"
    assert_format_and_generate_make_it_as_it_was(checkout, source, types)


def test_its_own_tests_pass(checkout: Checkout) -> None:
    said = checkout.succeed("test")
    assert "ok " in said
    assert "skipped" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_service_ends_with_its_tests(in_memory: Checkout) -> None:
    assert_a_service_ends_with_its_tests(in_memory)


def test_without_a_database_its_tests_skip_with_the_reason(with_database: Checkout) -> None:
    said = with_database.succeed("test", DATABASE_URL="", DOCKER_HOST="unix:///nowhere")
    assert "DATABASE_URL is not set" in said


def test_nothing_is_built_again_while_nothing_changes(with_database: Checkout) -> None:
    program = with_database.folder / ".make/service"
    with_database.succeed("migrate")
    made = program.stat().st_mtime_ns
    with_database.succeed("migrate")
    assert program.stat().st_mtime_ns == made


def test_dev_starts_again_after_a_save(with_database: Checkout) -> None:
    source = with_database.folder / "openapi.json"
    assert_dev_starts_again(with_database, source, timeout=60)


def test_lock_is_complete_and_names_no_registry(with_database: Checkout) -> None:
    manifest, lock = (with_database.folder / name for name in ("go.mod", "go.sum"))
    lock.write_text("")
    with_database.succeed("lock")
    assert "go 1.26.0\n" in manifest.read_text()
    assert " h1:" in lock.read_text()
    assert "://" not in lock.read_text()
    with_database.succeed("test")
