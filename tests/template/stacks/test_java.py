"""A Java service's own targets on a fresh checkout."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.checkout import (
    Checkout,
    assert_dev_starts_again,
    assert_format_and_generate_make_it_as_it_was,
    assert_lint_finds,
    check_out,
    environment_of,
    migrate_twice_at_once,
)
from tests.support.killed_tests import assert_a_service_ends_with_its_tests

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local", "java")]
CALLS = ["b" * 40, "order-items"]
LONGEST = {"name": "a" * 40, "stack": "java", "calls": CALLS, "organization": "3-new.acme.com"}
# A word of the language, too.
SHORTEST = {"name": "new", "stack": "java", "database": "postgres", "calls": ["catalog"]}


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
    migrate_twice_at_once(made, timeout=300)
    return made


def test_lint_is_silent(checkout: Checkout) -> None:
    assert checkout.succeed("lint") == ""


def test_lint_finds_faults_of_style_and_of_code(in_memory: Checkout) -> None:
    (source,) = in_memory.folder.rglob("Items.java")
    package = source.read_text().partition("\n")[0]
    raw = f"{package}\n\nimport java.util.List;\n\nclass Raw {{\n    List all;\n}}\n"
    code = (source.with_name("Raw.java"), raw, "Raw.java: warnings found")
    assert_lint_finds(in_memory, (source, "\n\n\n", "Items.java"), code)


def test_a_fresh_service_is_in_shape_and_its_generated_code_is_true(checkout: Checkout) -> None:
    (source,) = checkout.folder.rglob("Items.java")
    types = source.parent.glob("*Api.java")
    assert_format_and_generate_make_it_as_it_was(checkout, source, types)


def test_its_own_tests_pass(checkout: Checkout) -> None:
    assert checkout.succeed("test") == ""  # Maven tells of what fails or is left out
    run = {path.name for path in (checkout.folder / "target/surefire-reports").glob("*.txt")}
    written = {path.stem for path in checkout.folder.glob("src/test/java/**/*Test.java")}
    assert {name.split(".")[-2] for name in run} == written


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_service_ends_with_its_tests(in_memory: Checkout) -> None:
    assert_a_service_ends_with_its_tests(in_memory)


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
    assert_dev_starts_again(with_database, source, timeout=90)


def test_lock_takes_releases_only(with_database: Checkout) -> None:
    pom = with_database.folder / "pom.xml"
    try:
        parent = re.compile(r"(?<=-parent</artifactId>\n    <version>)[\d.]+")
        older, changed = parent.subn("4.1.0", pom.read_text())
        assert changed
        pom.write_text(older)
        with_database.succeed("lock")
        assert parent.findall(pom.read_text()) > ["4.1.0"]
        assert "-M" not in pom.read_text()
        assert "-RC" not in pom.read_text()
        assert "://repo" not in pom.read_text()
    finally:
        pom.write_bytes(with_database.rendered[pom])


def test_make_names_a_toolchain_that_is_too_old(in_memory: Checkout, tmp_path: Path) -> None:
    javac = tmp_path / "javac"
    javac.write_text("#!/bin/sh\necho javac 17.0.15\n")
    javac.chmod(0o755)
    path = f"{tmp_path}:{in_memory.environment['PATH']}"
    done = in_memory.make("lint", JAVA_HOME="", PATH=path)
    assert done.returncode == 2
    assert "needs a JDK 25 or newer; found: 17." in done.stdout
    assert "https://adoptium.net" in done.stdout


def test_a_service_without_the_example_is_green(tmp_path: Path) -> None:
    answers = {"name": "orders", "stack": "java", "example": "none", "calls": ["products"]}
    bare = check_out(tmp_path, answers, environment_of("java"))
    bare.succeed("lint", "test")
