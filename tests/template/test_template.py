"""The template: it keeps the rules for all templates, and some that are about this one."""

from __future__ import annotations

from tests.support.repository import REPOSITORY
import itertools
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from svcgen.render.render import render_service
from svcgen.template_check.check import check_template
from svcgen.template_check.cases import HOSTILE
from tests.support.repository import COPIER_YML, STACKS

TEMPLATE = REPOSITORY / "template"
SETTINGS = COPIER_YML
DATABASES = tuple(SETTINGS["database"]["choices"].values())
CALLS: tuple[list[str], ...] = ([], ["catalog"], ["order-items", "catalog"])
TARGETS = ["run", "dev", "test", "lint", "format", "build", "migrate", "lock", "generate"]
PAIRS = list(itertools.product(STACKS, DATABASES))
CHOICES = list(itertools.product(STACKS, DATABASES, CALLS))

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


def test_it_keeps_all_rules_that_templates_keep() -> None:
    """`svcgen template check` applies the same ones; test_rules.py shows what each one finds."""
    checked = check_template(REPOSITORY)
    assert checked.faults == ()
    assert (checked.tried, checked.refused) == (len(CHOICES), 0)


@pytest.mark.parametrize(("stack", "database"), PAIRS)
def test_free_text_stays_the_text_it_was(render: Render, stack: str, database: str) -> None:
    answers = {"description": HOSTILE[1], "owner": HOSTILE[1][:100]}
    folder = render(stack=stack, database=database, **answers)
    chart = yaml.safe_load((folder / "chart/Chart.yaml").read_text(encoding="utf-8"))
    assert chart["description"] == HOSTILE[1]
    assert HOSTILE[1] in (folder / "README.md").read_text(encoding="utf-8")
    recorded = yaml.safe_load((folder / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert {name: recorded[name] for name in answers} == answers


def test_the_order_of_calls_changes_nothing_but_what_was_answered(render: Render) -> None:
    one, other = render(calls=["a", "b"]), render(calls=["b", "a"])
    different = {name for name, content in tree(one).items() if tree(other)[name] != content}
    assert different <= {".copier-answers.yml", "chart/registration.yaml"}


def test_no_name_has_a_blank() -> None:
    tags = re.compile(r"{%.*?%}")  # a blank in one is none in the name that it renders to
    assert [path for path in TEMPLATE.rglob("*") if " " in tags.sub("", path.name)] == []


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


@pytest.mark.parametrize(("stack", "database"), PAIRS)
def test_make_has_the_same_targets_in_every_stack(
    render: Render, stack: str, database: str
) -> None:
    text = (render(stack=stack, database=database) / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"^([a-z]+):.* ## \S", text, re.MULTILINE) == TARGETS


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
MOST = {"python": (53, 919), "go": (51, 1311), "typescript": (53, 1107), "java": (66, 1500)}
