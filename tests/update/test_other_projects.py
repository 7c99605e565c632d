"""Projects that are no services, services without a template, and templates without a name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.support.run import answered, copier, svcgen
from tests.support.templates import Files, commit, git, in_git, publish, write
from tests.support.updates import Make, created, made, own_cache, text, versions

__all__ = ["created", "made", "own_cache", "versions"]

ANSWERS = "{{ _copier_answers|to_nice_yaml -}}\n"
SLUG = "project_slug: {type: str, default: demo}\n"
NO_NAME: Files = {
    "copier.yml": SLUG,
    "README.md.jinja": "# {{ project_slug }}\n",
    "{{_copier_conf.answers_file}}.jinja": ANSWERS,
}
# The answers file has a line that is no answer to a question.
WITH_A_LINE: Files = {**NO_NAME, "{{_copier_conf.answers_file}}.jinja": f"{ANSWERS}docs: mkdocs\n"}
NARROWED = "min_py: {type: str, choices: ['3.12', '3.13'], default: '3.12'}\n"
MIGRATIONS = (
    "_migrations: [{version: v2.0.0, command: mv old.txt new.txt, "
    "when: \"{{ _stage == 'before' }}\"}]\n"
)
CASES: dict[str, tuple[Files, Files]] = {
    "no name": (NO_NAME, {"README.md.jinja": "# {{ project_slug }}\n\nNew in v2.\n"}),
    "a question that the older version did not ask": (
        WITH_A_LINE,
        {"copier.yml": SLUG + NARROWED, "README.md.jinja": "# {{ project_slug }}, {{ min_py }}\n"},
    ),
    "migrations": (
        {**NO_NAME, "old.txt": "content\n"},
        {"copier.yml": SLUG + MIGRATIONS, "old.txt": None, "new.txt": "content\n"},
    ),
}


def copied(tmp_path: Path, first: Files, second: Files) -> Path:
    """Return a project of a template's v1.0.0, made by Copier, in git."""
    template = publish(tmp_path / "template", "v1.0.0", first)
    publish(template, "v2.0.0", second)
    options = ("--quiet", "--defaults", "--vcs-ref", "v1.0.0")
    done = copier("copy", *options, f"git+file://{template}", "demo", within=tmp_path)
    assert done.returncode == 0, done.stderr
    return in_git(tmp_path / "demo")


@pytest.mark.parametrize(("first", "second"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("place", ["by its folder", "within it"])
def test_a_project_without_a_chart_is_updated(
    tmp_path: Path, first: Files, second: Files, place: str
) -> None:
    project = copied(tmp_path, first, second)
    words = ("update", "--trust", "--json")
    done = (
        svcgen(*words, within=project)
        if place == "within it"
        else svcgen(*words, "./demo", within=tmp_path)
    )
    (outcome,) = answered(done)["services"]
    assert (outcome["service"], outcome["state"], outcome["new"]) == ("demo", "updated", "v2.0.0")
    assert yaml.safe_load(text(project, ".copier-answers.yml"))["_commit"] == "v2.0.0"
    if "new.txt" in second:
        assert not (project / "old.txt").exists()
        assert text(project, "new.txt") == "content\n"


def test_new_names_the_way_to_a_project_without_a_chart(tmp_path: Path) -> None:
    template = publish(tmp_path / "template", "v1.0.0", NO_NAME)
    done = svcgen("new", "demo", "--template", template, "--yes", within=tmp_path)
    assert done.returncode == 1
    assert "copier copy" in done.stderr
    assert "svcgen update demo" in done.stderr


def test_a_service_of_a_template_without_a_name_is_named_by_its_folder(tmp_path: Path) -> None:
    chart: Files = {"chart/registration.yaml": "apiVersion: svcgen.dev/v1\nservice: demo\n"}
    template = publish(tmp_path / "template", "v1.0.0", {**NO_NAME, **chart})
    publish(template, "v1.1.0", {"NEW": "new\n"})
    words = ("new", "demo", "--template", template, "--ref", "v1.0.0", "--yes", "--json")
    assert answered(svcgen(*words, within=tmp_path))["name"] == "demo"
    in_git(tmp_path / "demo")
    (listed,) = answered(svcgen("list", "--json", within=tmp_path))["services"]
    assert (listed["name"], listed["stack"]) == ("demo", "")
    assert svcgen("update", "demo", within=tmp_path).returncode == 0


def test_a_narrowed_choice_is_refused_with_the_way_out(tmp_path: Path) -> None:
    wide = "min_py: {type: str, choices: ['3.8', '3.12'], default: '3.8'}\n"
    project = copied(
        tmp_path, {**NO_NAME, "copier.yml": SLUG + wide}, {"copier.yml": SLUG + NARROWED}
    )
    refused = svcgen("update", within=project)
    assert refused.returncode == 1
    assert "does not accept '3.8' as `min_py`. Accepted: 3.12, 3.13." in refused.stderr
    advice = "svcgen update demo -d min_py=ANSWER"
    assert advice in refused.stderr
    assert svcgen("update", "-d", "min_py=3.13", within=project).returncode == 0


def test_an_item_that_is_no_longer_offered_is_left_out_as_advised(tmp_path: Path) -> None:
    def asks(*offered: str) -> str:
        listed = ", ".join(offered)
        default = "[a, b]" if "b" in offered else "[a]"
        choices = f"choices: [{listed}], multiselect: true, default: {default}"
        return f"{SLUG}on: {{type: str, {choices}}}\n".replace("on:", "platforms:")

    project = copied(tmp_path, {**NO_NAME, "copier.yml": asks("a", "b")}, {"copier.yml": asks("a")})
    refused = svcgen("update", within=project)
    assert refused.returncode == 1
    assert "-d 'platforms=[a]'" in refused.stderr.replace("platforms='[a]'", "'platforms=[a]'")
    done = svcgen("update", "-d", "platforms=[a]", within=project)
    assert done.returncode == 0, done.stderr


def test_update_all_names_what_it_leaves_out(made: Make, tmp_path: Path) -> None:
    made("orders")
    own, moved, deep = (tmp_path / name for name in ("own", "moved", "a/b/c/deep"))
    write(own, {"chart/registration.yaml": "apiVersion: svcgen.dev/v1\nservice: own\nroutes: {}\n"})
    made("moved")
    shutil.rmtree(moved / "chart")
    deep.parent.mkdir(parents=True)
    made("deep", within=deep.parent)
    in_git(tmp_path)
    done = svcgen("update", "--all", "--json", within=tmp_path)
    states = {each["service"]: each["state"] for each in answered(done)["services"]}
    assert states == {
        "orders": "updated", "own": "left-out", "moved": "left-out", "deep": "left-out"
    }  # fmt: skip
    commit(tmp_path)
    said = svcgen("update", "--all", within=tmp_path).stderr
    assert "own: It has no .copier-answers.yml, so no template" in said
    assert f"svcgen update {deep}" in said
    drift = svcgen("drift", within=tmp_path)
    assert drift.returncode == 0, drift.stdout
    assert "Left out, as they have no template: own" in drift.stderr
    by_name = svcgen("update", "own", within=tmp_path)
    assert by_name.returncode == 1
    assert "has no template" in by_name.stderr
    assert svcgen("update", str(deep), within=tmp_path).returncode == 0
    assert "a/b/c/deep/" in git("status", "--porcelain", within=tmp_path)


def test_a_service_without_answers_is_a_service(tmp_path: Path) -> None:
    write(
        tmp_path / "folder",
        {"chart/registration.yaml": "apiVersion: svcgen.dev/v1\nservice: orders\nroutes: {}\n"},
    )
    (listed,) = answered(svcgen("list", "--json", within=tmp_path))["services"]
    assert (listed["name"], listed["stack"]) == ("orders", "")
