"""A TypeScript service's own targets on a fresh checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.checkout import (
    Checkout,
    assert_dev_starts_again,
    assert_format_and_generate_make_it_as_it_was,
    assert_generate_keeps_what_it_cannot_write,
    check_out,
    environment_of,
    migrate_twice_at_once,
)
from tests.support.killed_tests import assert_a_service_ends_with_its_tests

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local", "typescript")]
LONGEST = {"name": "a" * 40, "stack": "typescript", "calls": ["class", "b" * 40, "a-10", "a-2"]}
TIMEOUT = 300  # seconds for one target
SHORTEST = {"name": "o", "stack": "typescript", "database": "postgres"}
WITHOUT_EXAMPLE = [
    {"name": "bare", "stack": "typescript", "example": "none"},
    {**SHORTEST, "name": "b", "example": "none", "calls": ["catalog"]},
]
NEED_NODE = ["run", "dev", "test", "lint", "format", "generate", "migrate", "add", "lock"]


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A service with the longest name, and names in its calls that are words of the language."""
    environment = environment_of("typescript")
    made = check_out(tmp_path_factory.mktemp("memory"), LONGEST, environment, TIMEOUT)
    migrate_twice_at_once(made, TIMEOUT)
    return made


@pytest.fixture(scope="module")
def with_database(
    tmp_path_factory: pytest.TempPathFactory, postgres: Callable[[str], str]
) -> Checkout:
    """A service with the shortest name."""
    environment = environment_of("typescript", DATABASE_URL=postgres("stack-typescript"))
    made = check_out(tmp_path_factory.mktemp("postgres"), SHORTEST, environment, TIMEOUT)
    migrate_twice_at_once(made, TIMEOUT)
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
    types = (checkout.folder / "src/clients").glob("*.ts")
    generated = [checkout.folder / "openapi.json", *types]
    source = checkout.folder / "src/health.ts"
    assert_format_and_generate_make_it_as_it_was(checkout, source, generated)


def test_what_cannot_be_generated_stays_as_it_was(in_memory: Checkout) -> None:
    assert_generate_keeps_what_it_cannot_write(in_memory, in_memory.folder / "src/server.ts")


def test_its_own_tests_pass(checkout: Checkout) -> None:
    said = checkout.succeed("test")
    assert re.search(r"pass [4-9]\d\b", said)
    assert "fail 0" in said
    assert "skipped 0" in said


@pytest.mark.parametrize("answers", WITHOUT_EXAMPLE, ids=lambda answers: str(answers["name"]))
def test_a_service_without_the_example_is_complete(
    answers: Mapping[str, object], tmp_path: Path, postgres: Callable[[str], str]
) -> None:
    url = postgres(f"stack-typescript-{answers['name']}")
    environment = environment_of("typescript", DATABASE_URL=url)
    made = check_out(tmp_path, answers, environment, TIMEOUT)
    made.succeed("migrate")
    assert made.succeed("lint") == ""
    assert "fail 0" in made.succeed("test")
    made.succeed("generate")
    assert made.changed() == []
    assert json.loads((made.folder / "openapi.json").read_text())["paths"] == {}


@pytest.mark.parametrize("target", NEED_NODE)
def test_an_old_node_is_one_line(with_database: Checkout, tmp_path: Path, target: str) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v20.1.0\n")
    node.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{with_database.environment['PATH']}"
    done = with_database.make(target, PATH=path, NAME="nanoid")
    lines = [line for line in done.stdout.splitlines() if not line.startswith("make")]
    assert len(lines) == 1
    assert "Node 24 or newer" in lines[0]
    assert "v20.1.0" in lines[0]
    assert done.returncode == 2
    assert with_database.changed() == []


def test_add_upgrades_nothing_else(with_database: Checkout, tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json", ".npmrc", "Makefile"):
        shutil.copy(with_database.folder / name, tmp_path)
    adding = replace(with_database, folder=tmp_path, rendered={})
    before = packages_of(tmp_path)
    adding.succeed("add", NAME="nanoid")
    after = packages_of(tmp_path)
    assert set(after) - set(before) == {"node_modules/nanoid"}
    assert {name: after[name] for name in before} == before
    assert "nanoid" in json.loads((tmp_path / "package.json").read_text())["dependencies"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_service_ends_with_its_tests(in_memory: Checkout) -> None:
    assert_a_service_ends_with_its_tests(in_memory)


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
    source = with_database.folder / "src/server.ts"
    assert_dev_starts_again(with_database, source, timeout=30)


def test_lock_names_no_registry(checkout: Checkout, tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json", ".npmrc", "Makefile"):
        shutil.copy(checkout.folder / name, tmp_path)
    (tmp_path / "package-lock.json").unlink()
    locking = replace(checkout, folder=tmp_path, rendered={})
    locking.succeed("lock")
    packages = packages_of(tmp_path).values()
    assert packages
    assert all("resolved" not in package and package["integrity"] for package in packages)
    assert (tmp_path / "package.json").read_bytes() == (
        checkout.folder / "package.json"
    ).read_bytes()


def packages_of(folder: Path) -> dict[str, dict[str, object]]:
    """Return the packages of a lock by their paths, without the service itself."""
    lock = json.loads((folder / "package-lock.json").read_text())
    return {name: package for name, package in lock["packages"].items() if name}


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
