"""A Java service's own targets on a fresh checkout."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.stacks.checkout import (
    Checkout,
    assert_dev_starts_again,
    check_out,
    environment_of,
    migrate_twice_at_once,
)

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local", "java")]
CALLS = ["b" * 40, "order-items"]
LONGEST = {"name": "a" * 40, "stack": "java", "calls": CALLS, "organization": "3-new.acme.com"}
SHORTEST = {"name": "new", "stack": "java", "database": "postgres"}  # a word of the language too


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A service with the longest names."""
    return check_out(tmp_path_factory.mktemp("java"), LONGEST, environment_of("java"))


@pytest.fixture(scope="module")
def with_database(
    tmp_path_factory: pytest.TempPathFactory, postgres: Callable[[str], str]
) -> Checkout:
    """A service whose name is a keyword, built by two makes at once."""
    environment = environment_of("java", DATABASE_URL=postgres("stack-java"))
    made = check_out(tmp_path_factory.mktemp("java"), SHORTEST, environment)
    migrate_twice_at_once(made, patience=300)
    return made


def test_lint_is_silent(checkout: Checkout) -> None:
    assert checkout.succeed("lint") == ""


def test_a_fresh_service_is_in_shape_and_its_generated_code_is_true(checkout: Checkout) -> None:
    checkout.succeed("format")
    checkout.succeed("generate", DATABASE_URL="")
    assert checkout.changed() == []


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
    source = with_database.folder / "openapi.json"
    assert_dev_starts_again(with_database, source, patience=90)


def test_lock_takes_releases_only(with_database: Checkout) -> None:
    pom = with_database.folder / "pom.xml"
    try:
        with_database.succeed("lock")
        assert "-M" not in pom.read_text()
        assert "-RC" not in pom.read_text()
        assert "://repo" not in pom.read_text()
    finally:
        pom.write_bytes(with_database.rendered[pom])
