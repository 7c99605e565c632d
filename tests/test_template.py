"""The template: every choice renders, nothing is left unrendered, and each path has one owner."""

from __future__ import annotations

import ast
import itertools
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from svcgen.render.render import render_service
from tests.conftest import COPIER_YML, STACKS

REPOSITORY = Path(__file__).parents[1]
TEMPLATE = REPOSITORY / "template"
SETTINGS = COPIER_YML
DATABASES = tuple(SETTINGS["database"]["choices"].values())
CALLS: tuple[list[str], ...] = ([], ["catalog"], ["order-items", "catalog"])
PAIRS = list(itertools.product(STACKS, DATABASES))
CHOICES = list(itertools.product(STACKS, DATABASES, CALLS))
HOSTILE = "{{ name }} {% raw %} \"quoted\" 'single' \\ $HOME `x` <b> # : - | % 日本 👋"

Render = Callable[..., Path]
Tree = dict[str, bytes]


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Return a function that writes a service into a new folder."""

    def new(**answers: Any) -> Path:
        folder = tmp_path_factory.mktemp("render") / answers.setdefault("name", "orders")
        return render_service(folder, {"stack": "python", **answers})

    return new


def tree(folder: Path) -> Tree:
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def text(folder: Path) -> Iterator[tuple[str, str]]:
    for name, content in tree(folder).items():
        yield name, content.decode("utf-8")


@pytest.mark.parametrize(("stack", "database", "calls"), CHOICES)
def test_every_choice_renders_to_files_that_can_be_read(
    render: Render, stack: str, database: str, calls: list[str]
) -> None:
    folder = render(stack=stack, database=database, calls=calls)
    for name, content in text(folder):
        assert content.endswith("\n"), name
        # Templates that the service itself has: Helm's, and the generator's of client types.
        if not name.startswith("chart/templates/") and not name.endswith(".mustache"):
            assert not re.search(r"\{\{|\{%|\{#|Undefined", content), name
        parse(name, content)


def parse(name: str, content: str) -> None:
    """Read a file as what its name says; chart templates are Helm's, and have their own tests."""
    kind = Path(name).suffix
    if kind in {".yaml", ".yml"} and not name.startswith("chart/templates/"):
        yaml.safe_load(content)
    elif kind == ".json":
        json.loads(content)
    elif kind == ".toml":
        tomllib.loads(content)
    elif kind == ".py":
        ast.parse(content)


@pytest.mark.parametrize(("stack", "database"), PAIRS)
def test_free_text_stays_the_text_it_was(render: Render, stack: str, database: str) -> None:
    folder = render(stack=stack, database=database, description=HOSTILE, owner=HOSTILE[:100])
    for name, content in text(folder):
        parse(name, content)
    chart = yaml.safe_load((folder / "chart/Chart.yaml").read_text(encoding="utf-8"))
    assert chart["description"] == HOSTILE
    assert HOSTILE in (folder / "README.md").read_text(encoding="utf-8")
    answers = yaml.safe_load((folder / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert (answers["description"], answers["owner"]) == (HOSTILE, HOSTILE[:100])


@pytest.mark.parametrize(("stack", "database", "calls"), CHOICES)
def test_rendering_again_gives_the_same_bytes(
    render: Render, stack: str, database: str, calls: list[str]
) -> None:
    answers = {"stack": stack, "database": database, "calls": calls}
    assert tree(render(**answers)) == tree(render(**answers))


def test_the_order_of_calls_changes_nothing_but_what_was_answered(render: Render) -> None:
    one, other = render(calls=["a", "b"]), render(calls=["b", "a"])
    different = {name for name, content in tree(one).items() if tree(other)[name] != content}
    assert different <= {".copier-answers.yml", "chart/registration.yaml"}


def rendered_names(folder: Path) -> set[str]:
    """Name what a layer, or all that is shared, writes into a service."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {
        path.as_posix().removesuffix(".jinja")
        for path in files
        if not is_layer(path.parts[0]) and "__pycache__" not in path.parts
    }


def is_layer(name: str) -> bool:
    return re.fullmatch(r"\{\{\w+\}\}", name) is not None


def layers() -> list[str]:
    return sorted(path.name for path in TEMPLATE.iterdir() if is_layer(path.name))


def test_every_layer_is_declared_and_used() -> None:
    declared = {name for name, question in SETTINGS.items() if is_hidden_layer(question)}
    assert {name.strip("{}") for name in layers()} == declared


def is_hidden_layer(question: object) -> bool:
    return isinstance(question, dict) and str(question.get("default", "")).startswith("{{ '.' if")


@pytest.mark.parametrize(("stack", "database"), PAIRS)
def test_no_two_layers_write_the_same_path(stack: str, database: str) -> None:
    kept = layer_of(database)
    names = ("calling", kept, stack, f"{stack}_calling", f"{stack}_{kept}")
    folders = [layer for layer in layers() if layer.strip("{}") in names]
    chosen = [TEMPLATE, *(TEMPLATE / folder for folder in folders)]
    written = [name for folder in chosen for name in rendered_names(folder)]
    assert sorted(written) == sorted(set(written))


def test_no_shared_file_names_a_language() -> None:
    words = re.compile(r"\b(python|pip|uvicorn|fastapi|golang|npm|java|maven|cargo)\b", re.I)
    languages = {layer for layer in layers() if layer.strip("{}").partition("_")[0] in STACKS}
    shared = [
        path
        for path in TEMPLATE.rglob("*")
        if path.is_file() and path.relative_to(TEMPLATE).parts[0] not in languages
    ]
    assert [path for path in shared if words.search(path.read_text(encoding="utf-8"))] == []


def layer_of(database: str) -> str:
    return {"none": "memory"}.get(database, database)


def test_no_name_is_one_that_windows_refuses() -> None:
    names = [path.name for path in TEMPLATE.rglob("*")]
    tags = re.compile(r"{%.*?%}")  # a blank in one is none in the name that it renders to
    assert [
        name for name in names if re.search(r'["<>:|?*]', name) or " " in tags.sub("", name)
    ] == []


@pytest.mark.parametrize("callee", ["catalog", "order-items", "o", "import"])
def test_a_caller_has_its_callees_document(render: Render, callee: str) -> None:
    caller = render(name="shop", calls=[callee, "other"])
    copy = caller / "clients" / f"{callee}.openapi.json"
    assert copy.read_bytes() == (render(name=callee) / "openapi.json").read_bytes()


def test_who_calls_nobody_has_no_clients(render: Render) -> None:
    assert not (render() / "clients").exists()


def test_the_manifests_of_one_stack_share_their_tools() -> None:
    manifests = [
        tomllib.loads((TEMPLATE / layer / "pyproject.toml.jinja").read_text(encoding="utf-8"))
        for layer in ("{{python_memory}}", "{{python_postgres}}")
    ]
    assert manifests[0]["tool"] == manifests[1]["tool"]
    assert manifests[0]["dependency-groups"] == manifests[1]["dependency-groups"]


def test_locks_and_rendered_files_name_no_registry() -> None:
    locks = sorted(path for name in LOCKS for path in TEMPLATE.rglob(name))
    assert locks
    for lock in locks:
        # npm repeats where a package asks for money.
        assert "://" not in re.sub(r'"url": ".*"', "", lock.read_text(encoding="utf-8")), lock


LOCKS = ("requirements*.txt", "go.sum", "package-lock.json")


@pytest.mark.parametrize(("stack", "database"), PAIRS)
def test_a_service_stays_small(render: Render, stack: str, database: str) -> None:
    folder = render(stack=stack, database=database, calls=["catalog"])
    most_files, most_lines = MOST[stack]
    sources = [path for path in tree(folder) if is_source(Path(path))]
    lines = sum(len((folder / path).read_text(encoding="utf-8").splitlines()) for path in sources)
    assert len(tree(folder)) <= most_files
    assert lines <= most_lines


def is_source(path: Path) -> bool:
    """Tell whether a path holds what runs and is read: not tests, chart and generated clients."""
    if "clients" in path.parts:
        return False
    test = "tests" in path.parts or "test" in path.parts or path.stem.endswith("_test")
    return path.suffix in {".py", ".go", ".ts", ".java", ".sql"} and not test


# Files in all, and lines of source at most: what the contract took, and no more.
MOST = {"python": (53, 906), "go": (51, 1301), "typescript": (53, 1105), "java": (66, 1500)}
