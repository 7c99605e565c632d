"""Answers on the way to a newer template: carried as declared, or refused with what is accepted."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from svcgen.errors import SvcgenError
from svcgen.render.refusals import render_stored
from svcgen.service import read_service
from svcgen.templates.base import Version
from svcgen.templates.declaration import read_declaration
from svcgen.update.stored_answers import migrate_answers, require_declared_answers
from tests.support.repository import REPOSITORY, NewService
from tests.support.run import svcgen
from tests.support.templates import ANSWERS, in_git, publish
from tests.support.terminal import at_terminal

Asked = Mapping[str, object]


def template(folder: Path, name: str, asked: Asked, declared: object = None) -> Version:
    """Write a template version with these questions, and what it tells svcgen."""
    files = folder / name
    (files / "template").mkdir(parents=True)
    shutil.copy(next((REPOSITORY / "template").glob("*answers_file*")), files / "template")
    written = {
        "_subdirectory": "template",
        **({} if declared is None else {"_svcgen": declared}),
        **asked,
    }
    (files / "copier.yml").write_text(yaml.safe_dump(written, sort_keys=False))
    return Version("templates", name, files)


def asking(*names: str) -> dict[str, object]:
    return {name: {"type": "yaml", "default": None} for name in names}


CHANGES = [
    ({"renamed": {"owner": "team"}}, ["team"], {"owner": "a"}, {"team": "a"}),
    ({"renamed": {"owner": "team"}}, ["team"], {"owner": "a", "team": "b"}, {"team": "b"}),
    ({"renamed": {"a": "b", "b": "a"}}, ["a", "b"], {"a": 1, "b": 2}, {"b": 1, "a": 2}),
    ({"removed": ["registry"]}, ["owner"], {"registry": "r", "owner": "a"}, {"owner": "a"}),
    ({"replaced": {"db": {"pg": "postgres"}}}, ["db"], {"db": "pg"}, {"db": "postgres"}),
    ({"replaced": {"db": {"pg": "postgres"}}}, ["db"], {"db": "none"}, {"db": "none"}),
    ({"replaced": {"n": {1: "one"}}}, ["n"], {"n": True}, {"n": True}),
    ({"replaced": {"n": {"1": "one"}}}, ["n"], {"n": 1}, {"n": 1}),
    ({"replaced": {"all": {"x": "y"}}}, ["all"], {"all": ["w", "x"]}, {"all": ["w", "y"]}),
    ({"replaced": {"all": {"x": "y"}}}, ["all"], {"all": {"x": 1}}, {"all": {"x": 1}}),
    ({"added": {"tier": "standard"}}, ["tier"], {}, {"tier": "standard"}),
    ({"added": {"tier": "standard"}}, ["tier"], {"tier": "gold"}, {"tier": "gold"}),
    (
        {"renamed": {"db": "database"}, "replaced": {"database": {"pg": "postgres"}}},
        ["database"],
        {"db": "pg"},
        {"database": "postgres"},
    ),
    ({"renamed": {"owner": "team"}}, ["team"], {"_commit": "v1.0.0", "owner": "a"}, {"team": "a"}),
]


@pytest.mark.parametrize(("change", "asked", "stored", "wanted"), CHANGES)
def test_a_declared_change_is_replayed(
    tmp_path: Path, change: Asked, asked: list[str], stored: Asked, wanted: Asked
) -> None:
    old = Version("templates", "v1.0.0", tmp_path)
    declared = {"answers": [{"version": "v1.1.0", **change}]}
    new = template(tmp_path, "v1.1.0", asking(*asked), declared)
    assert migrate_answers(stored, old, new) == wanted


@pytest.mark.parametrize(
    ("old", "wanted"),
    [
        ("v1.0.0", {"c": 1}),
        ("v1.1.0", {"a": 1}),
        ("v1.1.0-3-gabcdef0", {"a": 1}),
        ("v1.2.0", {"a": 1}),
    ],
)
def test_changes_are_replayed_after_the_version_that_a_service_has(
    tmp_path: Path, old: str, wanted: Asked
) -> None:
    declared = {
        "answers": [
            {"version": "v1.1.0", "renamed": {"a": "b"}},
            {"version": "v1.2.0", "renamed": {"b": "c"}},
        ]
    }
    new = template(tmp_path, "v1.2.0", asking("c"), declared)
    assert migrate_answers({"a": 1}, Version("templates", old, tmp_path), new) == wanted


def test_a_template_that_tells_nothing_changes_nothing(tmp_path: Path) -> None:
    new = template(tmp_path, "v2.0.0", asking("owner"))
    assert migrate_answers({"owner": "a"}, Version("templates", "v1.0.0", tmp_path), new) == {
        "owner": "a"
    }
    assert read_declaration(new).manifests == {}


FAULTY = [
    ([], "must be a map"),
    ({"answer": []}, '`_svcgen.answer` is not a known key. Did you mean "answers"?'),
    ({"answers": "all"}, "must be a list"),
    ({"answers": [{"version": "v1.1.0", "rename": {}}]}, 'Did you mean "renamed"?'),
    ({"answers": [{"version": "next"}]}, "'next', which is not a version"),
    ({"answers": [{"removed": ["x"]}]}, "'', which is not a version"),
    ({"answers": [{"version": "v1.1.0"}, {"version": "v1.0.1"}]}, "v1.0.1 after v1.1.0"),
    ({"answers": [{"version": "v1.1.0", "renamed": {"a": "ownr"}}]}, 'Did you mean "owner"?'),
    ({"answers": [{"version": "v1.1.0", "renamed": {"a": 1}}]}, "must be a list of names"),
    ({"answers": [{"version": "v1.1.0", "renamed": {"owner": "team"}}]}, "removes `owner`"),
    ({"answers": [{"version": "v1.1.0", "removed": ["owner"]}]}, "removes `owner`"),
    ({"answers": [{"version": "v1.1.0", "removed": "x"}]}, "must be a list of names"),
    ({"answers": [{"version": "v1.1.0", "replaced": {"owner": ["a"]}}]}, "map of old answers"),
    ({"answers": [{"version": "v1.1.0", "replaced": {"db": {"a": "b"}}}]}, "`db`, which is no"),
    ({"answers": [{"version": "v1.1.0", "added": {"tier": 1}}]}, "`tier`, which is not a question"),
    ({"manifests": {"go.mod": "go.sum"}}, "must be a list of names"),
    ({"manifests": ["go.mod"]}, "must be a map"),
]


@pytest.mark.parametrize(("declared", "problem"), FAULTY)
def test_a_faulty_declaration_is_refused_by_name(
    tmp_path: Path, declared: object, problem: str
) -> None:
    asked = {**asking("owner", "team"), "hidden": {"when": False, "default": 1}}
    with pytest.raises(SvcgenError) as refused:
        read_declaration(template(tmp_path, "v1.1.0", asked, declared))
    assert refused.value.problem.startswith("copier.yml of templates v1.1.0: ")
    assert problem in refused.value.problem


NAMES = st.sampled_from("abcdefgh")
STORED = st.dictionaries(NAMES, st.sampled_from(["x", "y", 1, True, ["x", "y"]]), max_size=6)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[dict[str, object]], list[set[str]]]:
    """Draw changes, and the questions there are before the first and after each of them."""
    asked = draw(st.sets(NAMES, min_size=1))
    changes: list[dict[str, object]] = []
    after = [asked]
    for number in range(1, draw(st.integers(1, 5)) + 1):
        gone = draw(st.sets(st.sampled_from(sorted(asked)))) if asked else set()
        renamed = {name: f"{name}{number}" for name in gone if draw(st.booleans())}
        added = draw(st.sets(NAMES)) - asked
        asked = (asked - gone) | set(renamed.values()) | added
        replaced = draw(st.sets(st.sampled_from(sorted(asked)))) if asked else set()
        changes.append(
            {
                "version": f"v1.{number}.0",
                "renamed": renamed,
                "removed": sorted(gone - set(renamed)),
                "replaced": {name: {"x": "z", "y": "x"} for name in replaced},
                "added": dict.fromkeys(sorted(added), "new"),
            }
        )
        after.append(asked)
    return changes, after


@settings(max_examples=60, deadline=None)
@given(history=histories(), stored=STORED, stop=st.integers(0, 5))
def test_two_updates_answer_as_one_and_every_question_has_its_answer(
    history: tuple[list[dict[str, object]], list[set[str]]], stored: Asked, stop: int
) -> None:
    changes, after = history
    stop = min(stop, len(changes))
    answers = {name: answer for name, answer in stored.items() if name in after[0]}
    with TemporaryDirectory() as folder:
        versions = [
            template(Path(folder), f"v1.{at}.0", asking(*asked), {"answers": changes[:at]})
            for at, asked in enumerate(after)
        ]
        whole = migrate_answers(answers, versions[0], versions[-1])
        halfway = migrate_answers(answers, versions[0], versions[stop])
        assert migrate_answers(halfway, versions[stop], versions[-1]) == whole
        assert set(whole) <= after[-1]
        everything = migrate_answers(dict.fromkeys(after[0], 0), versions[0], versions[-1])
        assert set(everything) == after[-1], "each question has an answer"
        require_declared_answers(versions[0], versions[-1])


@pytest.mark.parametrize(
    ("asked", "changes", "problem"),
    [
        (["team", "name"], [], "no longer asks `owner`, which v1.0.0 did"),
        (["name"], [{"version": "v1.0.0", "removed": ["owner"]}], "no longer asks `owner`"),
        (["name"], [{"version": "v2.0.0", "removed": ["owner"]}], "later than v1.1.0"),
        (["name"], [{"version": "v1.1.0", "removed": ["owner"]}], ""),
        (["team", "name"], [{"version": "v1.1.0", "renamed": {"owner": "team"}}], ""),
        (["owner", "name", "tier"], [], ""),
    ],
)
def test_a_release_says_what_became_of_each_question(
    tmp_path: Path, asked: list[str], changes: list[object], problem: str
) -> None:
    old = template(tmp_path, "v1.0.0", asking("owner", "name"))
    new = template(tmp_path, "v1.1.0", asking(*asked), {"answers": changes})
    if not problem:
        require_declared_answers(old, new)
        return
    with pytest.raises(SvcgenError) as refused:
        require_declared_answers(old, new)
    assert problem in refused.value.problem
    assert "v1.1.0" in refused.value.advice


MANY = {"type": "str", "multiselect": True, "choices": ["a", "b"], "default": ["a"]}
DATABASE = {"type": "str", "choices": {"None": "none", "PostgreSQL": "postgres"}}
LABELLED = {"type": "str", "choices": [["None", "none"], ["Big", {"value": "big"}]]}
DOMAIN = {"type": "str", "validator": "{% if '.' not in it %}No domain: {{ it }}{% endif %}"}
REFUSED = [
    ("db", DATABASE, "postgresql", "'postgresql' as `db`. Accepted: none, postgres.", "postgres"),
    ("db", LABELLED, "bigger", "Accepted: none, big.", "big"),
    ("db", MANY, ["a", "c"], "['a', 'c'] as `db`. Accepted: a, b.", "'[a]'"),
    ("it", DOMAIN, "acme", "'acme' as `it`. No domain: acme", "ANSWER"),
    ("port", {"type": "int", "default": 1}, "eighty", "'eighty' as `port`.", "ANSWER"),
    ("flag", {"type": "str", "default": "a"}, None, "None as `flag`.", "ANSWER"),
]


@pytest.mark.parametrize(("question", "asked", "answer", "problem", "advised"), REFUSED)
def test_an_answer_that_the_newer_version_rejects_is_named(
    tmp_path: Path, question: str, asked: Asked, answer: object, problem: str, advised: str
) -> None:
    new = template(tmp_path, "v1.1.0", {"name": {"type": "str"}, question: asked})
    with pytest.raises(SvcgenError) as refused:
        render_stored(new, tmp_path / "orders", {"name": "orders", question: answer}, "update")
    assert refused.value.problem.startswith("Template v1.1.0 does not accept ")
    assert problem in refused.value.problem
    assert refused.value.advice == f"Type: svcgen update orders -d {question}={advised}"


def test_a_new_question_without_a_default_is_asked_for(tmp_path: Path) -> None:
    new = template(tmp_path, "v1.1.0", {"name": {"type": "str"}, "tier": {"type": "str"}})
    with pytest.raises(SvcgenError) as refused:
        render_stored(new, tmp_path / "orders", {"name": "orders"}, "update")
    assert refused.value.problem.startswith("Template v1.1.0 needs an answer to `tier`.")


def test_answers_that_are_fine_are_rendered(tmp_path: Path) -> None:
    asked = {"name": {"type": "str"}, "port": {"type": "int"}, "many": MANY}
    answers: dict[str, Any] = {"name": "orders", "port": 1, "many": ["b"]}
    made = render_stored(template(tmp_path, "v1.1.0", asked), tmp_path / "o", answers, "update")
    recorded = yaml.safe_load((made / ".copier-answers.yml").read_text())
    assert answers.items() <= recorded.items()


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda text: f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> x\n", "conflict markers"),
        (lambda text: text + "name: [", "cannot be read"),
        (lambda _text: "- orders\n", "holds no answers"),
        (lambda _text: "", "holds no answers"),
        (lambda text: text + "name: other\n", 'the key "name" exists twice'),
    ],
)
def test_each_way_not_to_parse_has_its_error(
    new_service: NewService, spoil: Any, problem: str
) -> None:
    orders = new_service("orders")
    file = orders / ".copier-answers.yml"
    file.write_text(spoil(file.read_text()))
    with pytest.raises(SvcgenError, match="copier-answers") as refused:
        read_service(orders)
    assert problem in refused.value.problem
    assert refused.value.advice


QUESTIONS = {"name": {"type": "str"}, "stack": {"type": "str", "default": "python"}}
OLDER = {"owner": {"type": "str", "default": "nobody"}, "db": {"type": "str", "default": "none"}}
NEWER = {
    "team": {"type": "str", "default": "nobody"},
    "db": {"type": "str", "choices": ["none", "postgres"], "default": "none"},
    "tier": {"type": "str", "default": "gold"},
}
DECLARED = {
    "answers": [
        {
            "version": "v1.1.0",
            "renamed": {"owner": "team"},
            "replaced": {"db": {"pg": "postgres"}},
            "added": {"tier": "standard"},
        }
    ]
}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a template whose second version asks in another way."""
    folder = tmp_path_factory.mktemp("company") / "template"
    older = {"_subdirectory": "template", **QUESTIONS, **OLDER}
    newer = {"_subdirectory": "template", "_svcgen": DECLARED, **QUESTIONS, **NEWER}
    answers = {"template/{{_copier_conf.answers_file}}.jinja": ANSWERS}
    files = {**answers, "template/chart/registration.yaml": "routes: {}\n"}
    publish(folder, "v1.0.0", {**files, "copier.yml": yaml.safe_dump(older, sort_keys=False)})
    return publish(folder, "v1.1.0", {"copier.yml": yaml.safe_dump(newer, sort_keys=False)})


@pytest.mark.parametrize(
    ("given_", "again", "wanted"),
    [
        ("pg", [], "postgres"),
        ("none", [], "none"),
        ("postgresql", ["-d", "db=postgres"], "postgres"),
    ],
)
def test_an_update_carries_answers_or_says_which_it_needs(
    company: Path, tmp_path: Path, given_: str, again: list[str], wanted: str
) -> None:
    words = ("orders", "--template", company, "--ref", "v1.0.0", "-d", "owner=shop")
    assert svcgen("new", *words, "-d", f"db={given_}", within=tmp_path).returncode == 0
    orders = in_git(tmp_path / "orders")
    if again:
        before = (orders / ".copier-answers.yml").read_bytes()
        refused = svcgen("update", "orders", within=orders)
        assert refused.returncode == 1
        assert "'postgresql' as `db`. Accepted: none, postgres." in refused.stderr
        assert "Type: svcgen update orders -d db=postgres" in refused.stderr
        assert (orders / ".copier-answers.yml").read_bytes() == before
    assert svcgen("update", "orders", *again, within=orders).returncode == 0
    stored = yaml.safe_load((orders / ".copier-answers.yml").read_text())
    assert (stored["team"], stored["db"], stored["tier"]) == ("shop", wanted, "standard")
    assert "owner" not in stored


@pytest.mark.parametrize(
    ("older", "newer", "given_", "asked", "reply", "wanted"),
    [
        (OLDER["db"], NEWER["db"], "pg14", "Choose (none, postgres): ", "pg\nnone", "none"),
        (
            {**MANY, "choices": ["a", "b", "c"]},
            MANY,
            "[a, c]",
            "Choices, separated by commas (a, b): ",
            "a, b",
            ["a", "b"],
        ),
    ],
)
def test_at_a_terminal_another_choice_is_asked_for(
    tmp_path: Path,
    older: Asked,
    newer: Asked,
    given_: str,
    asked: str,
    reply: str,
    wanted: object,
) -> None:
    files = {
        "template/{{_copier_conf.answers_file}}.jinja": ANSWERS,
        "template/chart/registration.yaml": "routes: {}\n",
    }
    for version, question in {"v1.0.0": older, "v1.1.0": newer}.items():
        questions = {"_subdirectory": "template", **QUESTIONS, "db": question}
        texts = {**files, "copier.yml": yaml.safe_dump(questions, sort_keys=False)}
        publish(tmp_path / "template", version, texts)
    words = ("--template", tmp_path / "template", "--ref", "v1.0.0", "-d", f"db={given_}")
    assert svcgen("new", "orders", *words, within=tmp_path).returncode == 0
    orders = in_git(tmp_path / "orders")
    refused = svcgen("update", "orders", within=orders)
    assert (refused.returncode, "-d db=" in refused.stderr) == (1, True)
    code, shown = at_terminal("update", "orders", within=orders, asked=asked, reply=reply)
    assert code == 0, shown
    assert "does not accept" in shown
    assert yaml.safe_load((orders / ".copier-answers.yml").read_text())["db"] == wanted
