"""What a template of Copier may use: each is created, updated, compared and checked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.run import answered, copier, svcgen, svcgen_process
from tests.support.templates import Files, commit, git, in_git, publish, write
from tests.support.updates import own_cache, text

__all__ = ["own_cache"]

BASE: dict[str, str] = {
    "copier.yml": "name: {type: str}\nstack: {type: str, choices: [python], default: python}\n",
    "{{_copier_conf.answers_file}}.jinja": "{{ _copier_answers|to_nice_yaml -}}\n",
    "chart/registration.yaml.jinja": "apiVersion: svcgen.dev/v1\nservice: {{ name }}\nroutes: {}\n",
    "a.txt": "".join(f"line {n}\n" for n in range(9)),
}
# A stand-in for copier-templates-extensions: it finds extensions in the template's folder.
LOADER = """\
from pathlib import Path
from jinja2.ext import Extension


class Loader(Extension):
    def __init__(self, environment):
        super().__init__(environment)
        code = Path(environment.loader.searchpath[0], "ext.py").read_text()
        exec(code, {"filters": environment.filters})
"""
MACROS = "{% macro short(text) %}{{ 'too long' if text|length > 9 }}{% endmacro %}"
VALIDATED = "  validator: \"{% from 'inc/m.jinja' import short %}{{ short(name) }}\"\n"

# What a version has beside BASE, and the options that it needs.
TEMPLATES: dict[str, tuple[Files, tuple[str, ...]]] = {
    "macros in a validator": (
        {
            "copier.yml": "_exclude: [copier.yml, inc, .git]\nname:\n  type: str\n" + VALIDATED
            + "stack: {type: str, default: python}\n",
            "inc/m.jinja": MACROS,
        },
        (),
    ),
    "the version in a file": (
        {
            "made.txt.jinja": "by {{ _copier_answers._commit }} of {{ _copier_answers._src_path }},"
            " {{ _copier_conf.vcs_ref_hash }}\n",
            "copier.yml": BASE["copier.yml"] + "_envops: {undefined: jinja2.StrictUndefined}\n",
        },
        (),
    ),
    "a task that makes a repository": (
        {"copier.yml": BASE["copier.yml"] + "_tasks: [git init --quiet]\n"},
        ("--trust",),
    ),
    "a task that prints": (
        {"copier.yml": BASE["copier.yml"] + "_tasks: [echo SAYS SOMETHING]\n"},
        ("--trust",),
    ),
}  # fmt: skip


def publish_both(template: Path, files: Files) -> Path:
    publish(template, "v1.0.0", {**BASE, **files})
    return publish(template, "v1.1.0", {"a.txt": text(template, "a.txt") + "newer\n"})


@pytest.mark.parametrize(("files", "trust"), TEMPLATES.values(), ids=TEMPLATES)
def test_a_service_is_created_updated_and_compared(
    tmp_path: Path, files: Files, trust: tuple[str, ...]
) -> None:
    template = publish_both(tmp_path / "template", files)
    words = ("new", "orders", "--template", str(template), "--ref", "v1.0.0", "--yes", *trust)
    made = svcgen(*words, within=tmp_path)
    assert made.returncode == 0, made.stderr
    orders = in_git(tmp_path / "orders")
    assert answered(svcgen("drift", "--json", *trust, within=orders))["services"][0]["files"] == []
    preview = svcgen("update", "--dry-run", *trust, within=orders)
    assert preview.stdout.startswith("diff --git"), preview.stdout + preview.stderr
    (updated,) = answered(svcgen("update", "--json", *trust, within=orders))["services"]
    assert (updated["state"], updated["conflicts"]) == ("updated", []), updated
    assert text(orders, "a.txt").endswith("newer\n")
    commit(orders)
    assert answered(svcgen("drift", "--json", *trust, within=orders))["services"][0]["files"] == []


def test_the_version_is_what_copier_renders(tmp_path: Path) -> None:
    files = TEMPLATES["the version in a file"][0]
    template = publish_both(tmp_path / "template", files)
    words = ("--template", template, "--ref", "v1.0.0", "--yes")
    assert svcgen("new", "orders", *words, within=tmp_path).returncode == 0
    options = ("--defaults", "--quiet", "--vcs-ref", "v1.0.0", "--data", "name=orders")
    made = copier("copy", *options, str(template), "other", within=tmp_path)
    assert made.returncode == 0, made.stderr
    commit_ = git("rev-parse", "v1.0.0", within=template).strip()
    assert text(tmp_path / "orders", "made.txt") == f"by v1.0.0 of {template}, {commit_}\n"
    assert text(tmp_path / "other", "made.txt") == text(tmp_path / "orders", "made.txt")
    answers = ".copier-answers.yml"
    assert text(tmp_path / "other", answers) == text(tmp_path / "orders", answers)


BELOW: Files = {
    f"template/{name}": content for name, content in BASE.items() if name != "copier.yml"
}
WITH_MACROS: Files = {
    **BELOW,
    "copier.yml": f"_subdirectory: template\nname:\n  type: str\n{VALIDATED}"
    "stack: {type: str, default: python}\n",
    "inc/m.jinja": MACROS,
}
WITH_EXTENSION: Files = {
    **BELOW,
    "copier.yml": "_jinja_extensions: [loader.Loader]\n_subdirectory: template\n"
    + BASE["copier.yml"],
    "ext.py": 'filters["up"] = str.upper\n',
    "template/up.txt.jinja": "{{ name|up }}\n",
}


@pytest.mark.parametrize("files", [WITH_MACROS, WITH_EXTENSION], ids=["macros", "extension"])
def test_what_is_in_the_templates_folder_is_found_there(tmp_path: Path, files: Files) -> None:
    write(tmp_path, {"modules/loader.py": LOADER})
    path = {"PYTHONPATH": str(tmp_path / "modules")}
    template = publish(tmp_path / "template", "v1.0.0", files)
    publish(template, "v1.1.0", {"template/a.txt": "newer\n"})
    checked = svcgen_process(
        "template", "check", ".", "-d", "name=orders", "--trust", within=template, **path
    )
    assert checked.returncode in {0, 3}, checked.stderr
    assert "renders:" not in checked.stdout
    words = ("new", "orders", "--template", template, "--ref", "v1.0.0", "--yes", "--trust")
    assert svcgen_process(*words, within=tmp_path, **path).returncode == 0
    orders = in_git(tmp_path / "orders")
    updated = svcgen_process("update", "--trust", within=orders, **path)
    assert updated.returncode == 0, updated.stderr
    commit(orders)
    drift = svcgen_process("drift", "--trust", within=orders, **path)
    assert drift.returncode == 0, drift.stdout + drift.stderr


MIGRATION = """\
_migrations:
  - version: v1.1.0
    command: git mv a.txt b.txt
    when: "{{ _stage == 'before' }}"
  - version: v1.1.0
    command: echo "$VERSION_FROM to $VERSION_TO" > migrated.txt
  - version: v1.0.0
    command: touch not-due.txt
"""


def test_due_migrations_run_with_trust(tmp_path: Path) -> None:
    template = publish(tmp_path / "template", "v1.0.0", BASE)
    newer = BASE["a.txt"].replace("line 8", "line 8 of the template")
    files: Files = {"copier.yml": BASE["copier.yml"] + MIGRATION, "a.txt": None, "b.txt": newer}
    publish(template, "v1.1.0", files)
    publish(template, "v1.2.0", {"c.txt": "c\n"})
    words = ("new", "orders", "--template", template, "--ref", "v1.0.0", "--yes")
    assert svcgen(*words, within=tmp_path).returncode == 0
    orders = in_git(tmp_path / "orders")
    write(orders, {"a.txt": BASE["a.txt"].replace("line 0", "line 0 of mine"), "own.txt": "own\n"})
    commit(orders)
    refused = svcgen("update", "--ref", "v1.1.0", within=orders)
    assert refused.returncode == 1
    assert "migrations" in refused.stderr
    assert "--trust" in refused.stderr
    done = svcgen("update", "--ref", "v1.1.0", "--trust", within=orders)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (orders / "a.txt").exists()
    assert text(orders, "b.txt") == newer.replace("line 0", "line 0 of mine")
    assert text(orders, "migrated.txt") == "v1.0.0 to v1.1.0\n"
    assert text(orders, "own.txt") == "own\n"
    assert not (orders / "not-due.txt").exists()
    commit(orders)
    later = svcgen("update", within=orders)
    assert later.returncode == 0, later.stderr  # none is due, so none needs trust


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    template = publish(tmp_path / "template", "v1.0.0", BASE)
    failing = "_migrations: [{version: v1.1.0, command: 'touch half.txt; exit 3'}]\n"
    publish(template, "v1.1.0", {"copier.yml": BASE["copier.yml"] + failing})
    words = ("new", "orders", "--template", template, "--ref", "v1.0.0", "--yes")
    assert svcgen(*words, within=tmp_path).returncode == 0
    orders = in_git(tmp_path / "orders")
    done = svcgen("update", "--trust", within=orders)
    assert done.returncode == 1
    assert "exit 3" in done.stderr
    assert git("status", "--porcelain", within=orders) == ""


@pytest.mark.parametrize(
    "address",
    [
        "http://ghp_SECRET@127.0.0.1:1/t.git",
        "https://ghp_SECRET@127.0.0.1:1/t.git",
        "git+https://ghp_SECRET:x@127.0.0.1:1/t.git",
        "HTTPS://ghp_SECRET@127.0.0.1:1/t.git",
    ],
)
def test_an_access_token_is_not_recorded(tmp_path: Path, address: str) -> None:
    done = svcgen("new", "orders", "--template", address, "--yes", within=tmp_path)
    assert done.returncode == 1
    assert "token" in done.stderr
    assert "ghp_SECRET" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_answers_that_a_version_no_longer_asks_are_named(tmp_path: Path) -> None:
    asks = BASE["copier.yml"] + "ci: {type: bool, default: true}\n"
    template = publish(tmp_path / "template", "v1.0.0", {**BASE, "copier.yml": asks})
    publish(template, "v1.1.0", {"copier.yml": BASE["copier.yml"]})
    words = ("new", "orders", "--template", template, "--ref", "v1.0.0", "--yes")
    assert svcgen(*words, within=tmp_path).returncode == 0
    orders = in_git(tmp_path / "orders")
    done = svcgen("update", within=orders)
    assert done.returncode == 0, done.stderr
    assert "no longer asks `ci`" in done.stderr
    assert "ci" not in yaml.safe_load(text(orders, ".copier-answers.yml"))
