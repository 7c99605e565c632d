"""`svcgen demo` from the built wheel, in an environment that holds nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from svcgen.ports import free_port
from svcgen.templates.sources import open_source
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.slow
UV = str(Path(sys.executable).with_name("uv"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel of the committed checkout, through an sdist, and return its path."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["git", "clone", "-q", REPOSITORY, folder / "clone"], check=True)
    build = [UV, "build", "-q", "--out-dir", str(folder / "dist")]
    subprocess.run(build, cwd=folder / "clone", check=True)
    return next((folder / "dist").glob("*.whl"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment and return the folder of its programs."""
    environment = tmp_path_factory.mktemp("installed") / "env"
    subprocess.run([UV, "venv", "-q", environment], check=True)
    install = [UV, "pip", "install", "-q", "--python", str(environment), f"{wheel}[local]"]
    subprocess.run(install, check=True)
    return environment / "bin"


def surroundings(bin_: Path, **more: str) -> dict[str, str]:
    own = {name: os.environ[name] for name in ("HOME", "DOCKER_HOST") if name in os.environ}
    certificates = {name: word for name, word in os.environ.items() if "CERT" in name}
    return {"PATH": f"{bin_}:/usr/local/bin:/usr/bin:/bin", **own, **certificates, **more}


def test_the_wheel_has_the_versions_of_what_it_was_built_from(
    installed: Path, tmp_path: Path
) -> None:
    def said(*words: str) -> Any:
        cache = {"SVCGEN_CACHE_DIR": str(tmp_path / "cache"), "GIT_ALLOW_PROTOCOL": "none"}
        command, environment = (
            [str(installed / "svcgen"), *words, "--json"],
            surroundings(installed),
        )
        return json.loads(subprocess.check_output(command, cwd=tmp_path, env=environment | cache))

    assert said("new", "orders")["template_version"] == open_source().obtain().name
    released = said("template", "versions")["template_versions"]
    assert released == list(open_source().versions())
    for version in released:
        made = said("new", f"o{version.replace('.', '-')}", version, "--ref", version)
        assert made["template_version"] == version
    (updated,) = said("update", f"o{released[0].replace('.', '-')}", "--force")["services"]
    assert (updated["old"], updated["new"]) == (released[0], open_source().obtain().name)


def test_uv_installs_the_wheel_as_a_tool(wheel: Path, tmp_path: Path) -> None:
    """As on README's first screen, for a user whose home is empty; uv's cache keeps it fast."""
    cache = subprocess.check_output([UV, "cache", "dir"], text=True).strip()
    environment = {
        **os.environ,
        "HOME": str(tmp_path / "home"),
        "UV_CACHE_DIR": cache,
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
    }
    install = [UV, "tool", "install", "-q", "--python", sys.executable, str(wheel)]
    subprocess.run(install, env=environment, check=True)

    def svcgen(*words: str) -> str:
        command = [str(tmp_path / "bin" / "svcgen"), *words]
        return subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)

    assert svcgen("--version").split() == ["svcgen", wheel.name.split("-")[1]]
    assert svcgen("new", "orders").endswith("files. Next: svcgen up\n")
    assert (tmp_path / "orders" / "Makefile").is_file()


def test_the_wheel_writes_a_service_where_there_is_no_git(installed: Path, tmp_path: Path) -> None:
    """The current template lies there as plain files: no bundle is opened, and nothing cached."""
    cache = {"SVCGEN_CACHE_DIR": str(tmp_path / "cache"), "PATH": str(tmp_path)}
    subprocess.run(
        [str(installed / "svcgen"), "new", "orders", "--yes"],
        cwd=tmp_path,
        env=surroundings(installed) | cache,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert (tmp_path / "orders" / "Makefile").is_file()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("docker", marks=pytest.mark.needs("docker")),
        pytest.param("local", marks=pytest.mark.needs("local")),
    ],
)
def test_it_shows_answers_and_leaves_nothing(installed: Path, engine: str) -> None:
    port = str(free_port())
    done = subprocess.run(
        [str(installed / "svcgen"), "demo", "--engine", engine, "--port", port],
        env=surroundings(installed, CI="true"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"http://127.0.0.1:{port} ({engine}: " in done.stdout
    assert "\n201 {" in done.stdout
    assert '"calls": {"orders": {"service": "orders", "items": 1, "calls": {}}}' in done.stdout
    assert not remains()


@pytest.mark.needs("local")
def test_ctrl_c_ends_it(installed: Path) -> None:
    command = [str(installed / "svcgen"), "demo", "--engine", "local", "--port", str(free_port())]
    demo = subprocess.Popen(
        command, env=surroundings(installed), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert demo.stderr
    for line in demo.stderr:
        if b"Ctrl-C" in line:
            break
    demo.send_signal(signal.SIGINT)
    demo.communicate()
    assert demo.returncode == 0
    assert not remains()


def remains() -> list[str]:
    """What a demonstration would leave: processes, and containers where there is Docker."""
    listed = subprocess.check_output(["ps", "-A", "-o", "args="], text=True).splitlines()
    processes = [line for line in listed if "svcgen-demo-" in line]
    docker = ["docker", "ps", "--all", "--filter", "name=svcgen-demo", "--format", "{{.Names}}"]
    containers = subprocess.run(docker, capture_output=True, text=True).stdout.split()
    return processes + containers
