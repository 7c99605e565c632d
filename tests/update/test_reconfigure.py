"""`svcgen reconfigure`: other answers at the same template version, merged as an update is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from tests.support.checkout import environment_of
from tests.support.repository import STACKS, NewService
from tests.support.run import answered, svcgen
from tests.support.services import Rendered, copied
from tests.support.templates import ANSWERS, COPIER_YML, SECOND, commit, git, in_git, publish, write

FIRST = {
    "copier.yml": COPIER_YML + "motto: {type: str, default: none}\n",
    "template/{{_copier_conf.answers_file}}.jinja": ANSWERS,
    "template/chart/registration.yaml.jinja": "apiVersion: svcgen.dev/v1\nroutes: {}\n",
    "template/README.md.jinja": "# {{ name }}\n\nKept in {{ database }}.\n\nOne.\n",
    "template/Dockerfile": "FROM scratch\n",
    "template/pyproject.toml.jinja": (
        '[project]\nname = "it"\n\ndependencies = ["web==1.0"{% if database == "postgres" %}'
        ', "sql==1.0"{% endif %}]\n'
    ),
    "template/requirements.txt.jinja": (
        "web==1.0\n{% if database == 'postgres' %}\nsql==1.0\n{% endif %}"
    ),
    "template/src/store.py.jinja": "STORE = '{{ database }}'\n",
    "template/{% if database == 'postgres' %}migrations{% endif %}/1.sql": "CREATE TABLE;\n",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a service of v1.0.0 whose template has a newer version."""
    root = tmp_path_factory.mktemp("company")
    template = publish(root / "template", "v1.0.0", FIRST)
    publish(template, "v1.1.0", {"template/Dockerfile": SECOND["template/Dockerfile"]})
    words = ("new", "orders", "--template", template, "--ref", "v1.0.0", "-d", "motto=so")
    assert svcgen(*words, within=root).returncode == 0
    return in_git(root / "orders")


@pytest.fixture
def orders(made: Path, tmp_path: Path) -> Path:
    """Return that service, for a test to change."""
    return shutil.copytree(made, tmp_path / "orders")


def text(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")


def changed(folder: Path) -> str:
    return git("status", "--porcelain", within=folder)


def test_other_answers_change_what_was_made_from_them(orders: Path) -> None:
    write(orders, {"README.md": text(orders, "README.md") + "Two.\n", "src/own.py": "own = 1\n"})
    commit(orders)
    done = svcgen("reconfigure", "orders", "-d", "database=postgres", within=orders)
    assert done.returncode == 0, done.stderr
    assert text(orders, "src/store.py") == "STORE = 'postgres'\n", "seeded, and untouched"
    assert text(orders, "README.md").splitlines()[2:] == ["Kept in postgres.", "", "One.", "Two."]
    assert "sql==1.0" in text(orders, "pyproject.toml")
    assert "sql==1.0" in text(orders, "requirements.txt")
    assert (orders / "migrations/1.sql").is_file()
    assert text(orders, "Dockerfile") == "FROM scratch\n", "the version stays"
    stored = yaml.safe_load(text(orders, ".copier-answers.yml"))
    assert (stored["_commit"], stored["database"], stored["motto"]) == ("v1.0.0", "postgres", "so")
    assert f"make -C {orders} generate" in done.stderr
    assert "svcgen compose" in done.stderr


def test_the_way_back_takes_away_what_nobody_has_touched(orders: Path) -> None:
    svcgen("reconfigure", "orders", "-d", "database=postgres", within=orders)
    write(orders, {"migrations/2.sql": "ALTER TABLE;\n"})
    commit(orders)
    svcgen("reconfigure", "orders", "-d", "database=none", within=orders)
    assert [path.name for path in (orders / "migrations").iterdir()] == ["2.sql"]
    commit(orders)
    assert git("diff", "--name-only", "HEAD~2", within=orders).split() == ["migrations/2.sql"]


def test_a_seeded_file_that_the_user_has_changed_is_a_conflict(orders: Path) -> None:
    write(orders, {"src/store.py": "STORE = MINE\n"})
    commit(orders)
    done = svcgen("reconfigure", "orders", "-d", "database=postgres", "--json", within=orders)
    (outcome,) = answered(done, 3)["services"]
    assert [conflict["path"] for conflict in outcome["conflicts"]] == ["src/store.py"]
    marked = text(orders, "src/store.py")
    for line in ("STORE = MINE", "STORE = 'none'", "STORE = 'postgres'", "the former answers"):
        assert line in marked
    assert svcgen("update", "orders", "--abort", within=orders).returncode == 0
    assert changed(orders) == ""


def test_a_seeded_file_of_an_older_release_without_an_edit_is_not_a_conflict(
    made: Path, orders: Path
) -> None:
    template = shutil.copytree(made.parent / "template", orders.parent / "template")
    other_words = {"template/src/store.py.jinja": "KEPT_IN = '{{ database }}'\n"}
    publish(template, "v1.2.0", other_words)
    answers = text(orders, ".copier-answers.yml").replace(str(made.parent), str(orders.parent))
    write(orders, {".copier-answers.yml": answers})
    commit(orders)
    assert svcgen("update", "orders", "--commit", within=orders).returncode == 0
    assert text(orders, "src/store.py") == "STORE = 'none'\n", "seeded files are skipped"
    done = svcgen("reconfigure", "orders", "-d", "database=postgres", within=orders)
    assert done.returncode == 0, done.stdout + done.stderr
    assert text(orders, "src/store.py") == "KEPT_IN = 'postgres'\n"


def test_a_manifest_that_the_user_has_changed_needs_a_lock(orders: Path) -> None:
    own = text(orders, "pyproject.toml").replace("[project]", '[project]\nversion = "1"')
    write(orders, {"pyproject.toml": own})
    commit(orders)
    done = svcgen("reconfigure", "orders", "-d", "database=postgres", within=orders)
    assert done.returncode == 0, done.stderr
    assert "sql" not in text(orders, "requirements.txt")
    assert "make lock generate" in done.stderr


def test_a_dry_run_prints_the_difference_and_changes_nothing(orders: Path) -> None:
    done = svcgen("reconfigure", "orders", "-d", "database=postgres", "--dry-run", within=orders)
    assert done.returncode == 0, done.stderr
    assert "+STORE = 'postgres'" in done.stdout
    assert changed(orders) == ""


@pytest.mark.parametrize(
    "answers", [["database=none"], ["database=none", "motto=so", "stack=python"]]
)
def test_the_same_answers_change_nothing(orders: Path, answers: list[str]) -> None:
    words = [word for answer in answers for word in ("-d", answer)]
    done = svcgen("reconfigure", "orders", *words, within=orders)
    assert done.returncode == 0, done.stderr
    assert "Nothing to change" in done.stderr
    assert changed(orders) == ""


def test_answers_may_come_from_a_file(orders: Path, tmp_path: Path) -> None:
    write(tmp_path, {"answers.yml": "database: postgres\nmotto: from a file\n"})
    words = ("orders", "--data-file", tmp_path / "answers.yml", "-d", "motto=from a pair")
    assert svcgen("reconfigure", *words, within=orders).returncode == 0
    stored = yaml.safe_load(text(orders, ".copier-answers.yml"))
    assert (stored["database"], stored["motto"]) == ("postgres", "from a pair")


REFUSED = [
    (["name=stock"], "`name` of orders stays orders", "svcgen rename orders stock"),
    (["stack=go"], "`stack` of orders stays python", "--stack go"),
    (["databse=postgres"], "no question `databse`", 'Did you mean "database"?'),
    (["x=1"], "no question `x`", "There are: name, stack, database, motto."),
    (["database=postgresql"], "does not accept 'postgresql' as `database`", "database=postgres"),
    (["database=oracle"], "Accepted: none, postgres.", "svcgen reconfigure orders -d database="),
    (["database"], "'database' is not QUESTION=ANSWER", "-d database=postgres"),
]


@pytest.mark.parametrize(("answers", "problem", "advice"), REFUSED)
def test_it_refuses_and_changes_nothing(
    orders: Path, answers: list[str], problem: str, advice: str
) -> None:
    words = [word for answer in answers for word in ("-d", answer)]
    done = svcgen("reconfigure", "orders", *words, within=orders)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert problem in done.stderr
    assert advice in done.stderr
    assert changed(orders) == ""


def test_what_git_does_not_have_is_not_merged_into(orders: Path) -> None:
    write(orders, {"src/store.py": "STORE = MINE\n"})
    done = svcgen("reconfigure", "orders", "-d", "database=postgres", within=orders)
    assert done.returncode == 1
    assert "not committed" in done.stderr


def test_no_answer_is_wrong_usage(orders: Path) -> None:
    assert svcgen("reconfigure", "orders", within=orders).returncode == 2
    assert svcgen("reconfigure", within=orders).returncode == 2


WAYS = [
    ({}, {"database": "postgres", "calls": ["stock"]}),
    ({"database": "postgres", "calls": ["stock"]}, {"database": "none", "calls": []}),
    ({"calls": ["stock"]}, {"calls": ["catalog", "stock"], "owner": "shop"}),
]


@pytest.mark.parametrize(("before", "after"), WAYS, ids=["more", "less", "another"])
@pytest.mark.parametrize("stack", STACKS)
def test_an_untouched_service_becomes_one_that_was_made_so(
    rendered: Rendered,
    tmp_path: Path,
    stack: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> None:
    orders = copied(rendered(name="orders", stack=stack, **before), tmp_path / "orders")
    write(tmp_path, {"answers.yml": yaml.safe_dump(dict(after))})
    words = ("orders", "--data-file", "answers.yml", "--force")
    done = svcgen("reconfigure", *words, within=tmp_path)
    assert done.returncode == 0, done.stderr
    answers = {"name": "orders", "stack": stack, **before, **after}
    assert files(orders) == files(rendered(**answers))


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
@pytest.mark.needs("make", "local")
def test_with_a_database_and_a_call_its_own_targets_succeed(
    new_service: NewService, postgres: Callable[[str], str]
) -> None:
    """Its files are those of a new service, in each stack; tests/template/stacks runs those."""
    orders = in_git(new_service("orders", stack="python"))
    words = ("orders", "-d", "database=postgres", "-d", "calls=[stock]")
    done = svcgen("reconfigure", *words, within=orders)
    assert done.returncode == 0, done.stderr
    environment = environment_of("python", DATABASE_URL=postgres("reconfigured"))
    made = subprocess.run(
        ["make", "--silent", "migrate", "generate", "lint", "test"],
        cwd=orders,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert made.returncode == 0, made.stdout


def test_it_takes_the_options_of_new(orders: Path) -> None:
    (outcome,) = answered(
        svcgen("reconfigure", "orders", "--database", "postgres", "--json", within=orders)
    )["services"]
    assert outcome["state"] == "updated"
    assert text(orders, "src/store.py") == "STORE = 'postgres'\n"
    refused = svcgen("reconfigure", "orders", "--calls", "stock", "--force", within=orders)
    assert refused.returncode == 1, "this template does not ask it"
    assert "no question `calls`" in refused.stderr
