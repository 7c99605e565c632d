"""`svcgen doctor`: what a machine and a workspace lack, with what to type."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.run import svcgen

# No Docker engine answers there.
NO_DOCKER = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def looked(within: Path, **variables: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit code, and the conditions by name."""
    done = svcgen("doctor", "--json", within=within, **variables)
    found = json.loads(done.stdout)["conditions"]
    return done.returncode, {one["name"]: one for one in found}


def path_with(folder: Path, *programs: str) -> str:
    """Return a PATH that has these programs and no others."""
    folder.mkdir()
    for name in programs:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return str(folder)


@pytest.mark.needs("local")
def test_a_machine_with_one_engine_has_what_is_needed(tmp_path: Path) -> None:
    code, found = looked(tmp_path, **NO_DOCKER)
    assert code == 0, found
    states = {name: one["state"] for name, one in found.items()}
    assert states["engine docker"] == "not needed"
    assert states["engine local"] == states["git"] == states["svcgen"] == "ok"
    assert "install" in found["engine docker"]["advice"]


@pytest.mark.needs("local")
def test_without_docker_the_toolchains_of_the_services_are_needed(tmp_path: Path) -> None:
    made = svcgen("new", "orders", "--stack", "go", within=tmp_path)
    assert made.returncode == 0, made.stderr
    path = path_with(tmp_path / "bin", "git", "make")
    code, found = looked(tmp_path, PATH=path, JAVA_HOME="", **NO_DOCKER)
    assert code == 3
    assert [name for name, one in found.items() if one["state"] == "missing"] == ["stack go"]
    assert found["stack go"]["advice"] == "Install it from https://go.dev/dl."
    node = found["stack typescript"]  # of the wheel, which `make` alone does not find
    assert node["state"] == "ok"
    (folder,) = re.findall(r'export PATH="([^:]+):\$PATH"', node["advice"])
    assert Path(folder, "npm").exists()
    assert found["helm"] == {
        "name": "helm",
        "state": "not needed",
        "detail": "helm is not on PATH",
        "advice": "For charts, install it: https://helm.sh/docs/intro/install",
    }


def test_without_any_engine_both_are_missing(tmp_path: Path) -> None:
    path = path_with(tmp_path / "bin", "git")
    code, found = looked(tmp_path, PATH=path, **NO_DOCKER)
    assert code == 3
    missing = {name for name, one in found.items() if one["state"] == "missing"}
    assert missing == {"engine docker", "engine local"}
    assert "make is not on PATH" in found["engine local"]["detail"]


@pytest.mark.needs("local")
def test_a_taken_port_names_one_that_is_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "svcgen.yaml").write_text(f"gateway: {{port: {port}}}\n")
        done = svcgen("doctor", within=tmp_path, **NO_DOCKER)
    assert done.returncode == 3
    assert f"another program listens on port {port}" in done.stdout
    assert "port: svcgen up --port " in done.stderr


@pytest.mark.parametrize(
    ("settings", "shown"),
    [("gatway: {}\n", "gatway"), ("[", "svcgen.yaml")],
)
def test_a_workspace_that_cannot_be_read_is_named(
    settings: str, shown: str, tmp_path: Path
) -> None:
    (tmp_path / "svcgen.yaml").write_text(settings)
    code, found = looked(tmp_path)
    assert code == 3
    assert found["workspace"]["state"] == "missing"
    assert shown in found["workspace"]["detail"]


def test_services_that_do_not_fit_are_named(tmp_path: Path) -> None:
    assert svcgen("new", "orders", within=tmp_path).returncode == 0
    file = tmp_path / "orders/chart/registration.yaml"
    file.write_text(file.read_text().replace("auth: none", "auth: nobody"))
    code, found = looked(tmp_path, PATH=os.environ["PATH"])
    assert code == 3
    assert "orders/chart/registration.yaml" in found["workspace"]["detail"]


@pytest.mark.needs("local")
@pytest.mark.parametrize(
    ("name", "prints"),
    [
        ("git", r"git version \377\376 2.40.1\n"),
        ("go", r"go version go\377\n"),
        ("helm", r"v\377"),
        ("mvn", r"\033[1mApache Maven 3.8.7\033[0m\n"),
    ],
)
def test_what_programs_print_is_read_as_it_is(name: str, prints: str, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / name).write_text(f"#!/bin/sh\nprintf '{prints}'\n")
    (folder / name).chmod(0o755)
    code, found = looked(tmp_path, PATH=f"{folder}:{os.environ['PATH']}", **NO_DOCKER)
    assert code == 0, found
    if name == "mvn":
        assert "mvn 3.8.7" in found["stack java"]["detail"]


def test_settings_that_are_not_a_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "svcgen.yaml").mkdir()
    code, found = looked(tmp_path)
    assert (code, found["workspace"]["state"]) == (3, "missing")
