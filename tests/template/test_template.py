"""The template: it keeps the rules for all templates, and some that are about this one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from svcgen.template_check.cases import HOSTILE
from svcgen.template_check.check import check_template
from tests.support.repository import REPOSITORY
from tests.support.services import CHOICES, PAIRS, Rendered, copied, tree

TEMPLATE = REPOSITORY / "template"
TARGETS = [
    "run",
    "dev",
    "test",
    "lint",
    "format",
    "build",
    "migrate",
    "migration",
    "add",
    "lock",
    "generate",
]
# Files in all, with a callee: what the contract took, and no more.
MOST_FILES = {"python": 62, "go": 56, "typescript": 60, "java": 71}


@pytest.fixture
def render(rendered: Rendered) -> Rendered:
    """Return a function that renders answers, by default of a service in Python."""
    return lambda **answers: rendered(**{"name": "orders", "stack": "python", **answers})


def test_it_keeps_all_rules_that_templates_keep() -> None:
    """`svcgen template check` applies the same ones; test_rules.py shows what each one finds."""
    checked = check_template(REPOSITORY)
    assert checked.faults == ()
    # Each choice is tried as both kinds, with the example and without.
    assert (checked.tried, checked.refused) == (4 * len(CHOICES), 0)


@pytest.mark.parametrize(("stack", "database"), PAIRS)
def test_free_text_stays_the_text_it_was(render: Rendered, stack: str, database: str) -> None:
    answers = {"description": HOSTILE[1], "owner": HOSTILE[1][:100]}
    folder = render(stack=stack, database=database, **answers)
    chart = yaml.safe_load((folder / "chart/Chart.yaml").read_text(encoding="utf-8"))
    assert chart["description"] == HOSTILE[1]
    assert HOSTILE[1] in (folder / "README.md").read_text(encoding="utf-8")
    recorded = yaml.safe_load((folder / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert {name: recorded[name] for name in answers} == answers


def test_the_order_of_calls_changes_nothing_but_what_was_answered(render: Rendered) -> None:
    one, other = render(calls=["a", "b"]), render(calls=["b", "a"])
    different = {name for name, content in tree(one).items() if tree(other)[name] != content}
    assert different <= {".copier-answers.yml", "chart/registration.yaml"}


def test_no_name_has_a_blank() -> None:
    tags = re.compile(r"{%.*?%}")  # a blank in one is none in the name that it renders to
    assert [path for path in TEMPLATE.rglob("*") if " " in tags.sub("", path.name)] == []


@pytest.mark.parametrize("callee", ["catalog", "order-items", "o", "import"])
def test_a_caller_has_its_callees_document(render: Rendered, callee: str) -> None:
    caller = render(name="shop", calls=[callee, "other"])
    copy = caller / "clients" / f"{callee}.openapi.json"
    assert copy.read_bytes() == (render(name=callee) / "openapi.json").read_bytes()


def test_who_calls_nobody_has_no_clients(render: Rendered) -> None:
    assert not (render() / "clients").exists()


@pytest.mark.parametrize(("stack", "database"), PAIRS)
def test_make_has_the_same_targets_in_every_stack(
    render: Rendered, stack: str, database: str
) -> None:
    text = (render(stack=stack, database=database) / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):.* ## \S", text, re.MULTILINE)
    without = {"add"} if stack == "java" else set()  # Maven has no such command
    assert targets == [target for target in TARGETS if target not in without]


@pytest.mark.parametrize(("stack", "database"), PAIRS)
def test_the_page_for_agents_names_targets_that_exist(
    render: Rendered, stack: str, database: str
) -> None:
    folder = render(stack=stack, database=database, calls=["catalog"])
    text = (folder / "AGENTS.md").read_text(encoding="utf-8")
    typed = re.findall(r"^make ([a-z ]+?) +(?:#|NAME)", text, re.MULTILINE)
    assert {word for words in typed for word in words.split()} <= set(TARGETS)
    assert ("make migration" in text) == (database == "postgres")
    assert "](AGENTS.md)" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.needs("make")
@pytest.mark.parametrize("stack", ["go", "java", "typescript"])  # Python's needs its environment
def test_a_migration_has_a_name_and_a_number(render: Rendered, stack: str, tmp_path: Path) -> None:
    folder = copied(render(stack=stack, database="postgres"), tmp_path / "orders")

    def make(name: str) -> subprocess.CompletedProcess[str]:
        command = ["make", "-s", "migration", f"NAME={name}"]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    before = set(folder.rglob("*"))
    for name in ("", "x y", "Price", "../x", "'", "x' in *) touch x;; esac; case 'x", "x" * 300):
        refused = make(name)
        assert (refused.returncode, refused.stdout) == (2, ""), name
    assert set(folder.rglob("*")) == before
    begun = [make(name).stdout.strip() for name in ("add_price", "add_tax")]
    assert [re.sub(r".*(\d{4})__?", r"\1 ", path) for path in begun] == [
        "0002 add_price.sql",
        "0003 add_tax.sql",
    ]


@pytest.mark.parametrize(("stack", "database"), PAIRS)
def test_a_service_has_few_files(render: Rendered, stack: str, database: str) -> None:
    folder = render(stack=stack, database=database, calls=["catalog"])
    assert len(tree(folder)) <= MOST_FILES[stack]


@pytest.mark.parametrize("database", ["none", "postgres"])
def test_logs_of_containers_are_limited(render: Rendered, database: str) -> None:
    text = (render(database=database) / "compose.yaml").read_text(encoding="utf-8")
    limits = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
    containers = yaml.safe_load(text)["services"]
    assert {name: each.get("logging") for name, each in containers.items()} == dict.fromkeys(
        containers, limits
    )
