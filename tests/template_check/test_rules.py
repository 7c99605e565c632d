"""The rules for templates: a sound one has no faults, and each rule finds what breaks it."""

from __future__ import annotations

import itertools
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svcgen.template_check.cases import combinations, covering, possible
from svcgen.template_check.check import CheckResult, check_template
from svcgen.template_check.source_tree import read_template
from tests.support.small_template import COPIER, FILES


@pytest.fixture
def template(tmp_path: Path) -> Path:
    (tmp_path / "copier.yml").write_text(COPIER)
    for name, text in FILES.items():
        path = tmp_path / "template" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "template" / "{{go}}" / "run.sh").chmod(0o755)
    return tmp_path


def test_a_sound_template_has_no_faults(template: Path) -> None:
    declare("calls: {type: yaml, default: []}\nstrict: {type: bool, default: true}")(template)
    checked = check_template(template)
    assert checked == CheckResult(tried=12, possible=12, refused=0, faults=())


Break = Callable[[Path], object]


def write(name: str, text: str) -> Break:
    def change(template: Path) -> None:
        path = template / "template" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return change


def declare(text: str, instead_of: str = "name: {") -> Break:
    def change(template: Path) -> None:
        path = template / "copier.yml"
        path.write_text(path.read_text().replace(instead_of, f"{text}\n{instead_of}", 1))

    return change


def remove(name: str) -> Break:
    def change(template: Path) -> None:
        path = template / "template" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def both(*changes: Break) -> Break:
    return lambda template: [change(template) for change in changes]


def answers(text: str) -> Break:
    return declare(f"_svcgen: {{answers: [{text}]}}")


BROKEN: dict[str, tuple[Break, str, str, str]] = {
    "YAML": (write("a.yaml.jinja", "a: [\n"), "parses", "template/a.yaml.jinja", ""),
    "a key twice": (write("a.yaml", "a: 1\na: 2\n"), "parses", "template/a.yaml", ""),
    "JSON": (write("a.json", "{,}\n"), "parses", "template/a.json", ""),
    "TOML": (write("{{go}}/a.toml", "a =\n"), "parses", "template/{{go}}/a.toml", "stack=go"),
    "Python": (write("{{python}}/a.py", "def\n"), "parses", "{{python}}/a.py", "stack=python"),
    "braces left": (
        write("a.txt.jinja", "{{ '{' }}{ name }}\n"),
        "rendered",
        "template/a.txt.jinja",
        "",
    ),
    "no .jinja": (write("a.txt", "{{ name }}\n"), "rendered", "template/a.txt", ""),
    "a statement": (write("a.txt", "{% if x %}\n"), "rendered", "template/a.txt", ""),
    "Undefined": (write("a.txt.jinja", "Undefined\n"), "rendered", "template/a.txt.jinja", ""),
    "no newline": (write("a.txt", "a"), "newline", "template/a.txt", ""),
    "an error": (
        write("a.txt.jinja", "1\n{{ 1 / 0 }}\n"),
        "renders",
        "template/a.txt.jinja",
        "stack=python",
    ),
    "no Jinja": (write("a.txt.jinja", "{% if %}\n"), "renders", "template/a.txt.jinja", ""),
    "an error in a default": (
        declare("""team: {when: false, default: "{{ 1 / (stack == 'go') }}"}"""),
        "renders",
        "copier.yml",
        "stack=python",
    ),
    "chance": (
        write("a.txt.jinja", "{{ range(99999) | random }}\n"),
        "again",
        "template/a.txt.jinja",
        "",
    ),
    "two owners": (
        both(write("main.py", "a = 1\n"), remove("{{go}}/main.go")),
        "one-owner",
        "template/main.py",
        "stack=python",
    ),
    "two owners by suffix": (
        write("README.md", "a\n"),
        "one-owner",
        "template/README.md",
        "",
    ),
    "a colon": (write("a:b.txt", "a\n"), "windows-name", "template/a:b.txt", ""),
    "a device": (write("aux.txt", "a\n"), "windows-name", "template/aux.txt", ""),
    "a device of a name": (
        write("{{ name[:0] }}nul.txt", "a\n"),
        "windows-name",
        "template/{{ name[:0] }}nul.txt",
        "",
    ),
    "capitals": (write("readme.MD", "a\n"), "windows-name", "template/readme.MD", "stack=python"),
    "no script": (write("a.sh", "#!/bin/sh\n"), "executable", "template/a.sh", ""),
    "a language": (write("a.txt", "Uses Flask.\n"), "language", "template/a.txt", ""),
    "free text": (
        write("a.yaml.jinja", 'owner: "{{ owner }}"\n'),
        "free-text",
        "template/a.yaml.jinja",
        "stack=python",
    ),
    "free text taken for data": (
        write("a.yaml.jinja", "owner: [{{ owner }}]\n"),
        "free-text",
        "template/a.yaml.jinja",
        "",
    ),
    "free text in Python": (
        write("{{python}}/a.py.jinja", 'OWNER = "{{ owner }}"\n'),
        "free-text",
        "{{python}}/a.py.jinja",
        "",
    ),
    "free text in some files alone": (
        write("a.yaml.jinja", "{{ owner|lower }}: [1]\n{% if ':' in owner %}b: 1\n{% endif %}"),
        "free-text",
        "template/a.yaml.jinja",
        "",
    ),
    "a seeded path": (
        declare("""_skip_if_exists: ["/maim.py"]"""),
        "seeded",
        "copier.yml",
        "",
    ),
    "a manifest": (
        declare("_svcgen: {manifests: {go.mod: [go.sum]}}"),
        "seeded",
        "copier.yml",
        "",
    ),
    "no question of a layer": (
        write("{{rust}}/a.txt", "a\n"),
        "layer",
        "template/{{rust}}",
        "",
    ),
    "no layer of a question": (
        declare("""rust: {when: false, default: "{{ '.' if stack == 'rust' else '' }}"}"""),
        "layer",
        "copier.yml",
        "",
    ),
    "a layer that nothing chooses": (
        both(
            declare("""rust: {when: false, default: "{{ '.' if stack == 'rust' else '' }}"}"""),
            write("{{rust}}/a.txt", "a\n"),
        ),
        "layer",
        "template/{{rust}}",
        "",
    ),
    "a registry": (
        write("{{python}}/requirements.txt", "flask @ https://pypi.example/flask\n"),
        "registry",
        "template/{{python}}/requirements.txt",
        "",
    ),
    "no answers": (
        remove("{{_copier_conf.answers_file}}.jinja"),
        "answers-file",
        "template/{{_copier_conf.answers_file}}.jinja",
        "",
    ),
    "a change of no version": (answers("{renamed: {team: owner}}"), "declared", "copier.yml", ""),
    "changes out of order": (
        answers("{version: v1.2.0, removed: [a]}, {version: v1.1.0, removed: [b]}"),
        "declared",
        "copier.yml",
        "",
    ),
    "renamed to nothing": (
        answers("{version: v1.1.0, renamed: {owner: team}}"),
        "declared",
        "copier.yml",
        "",
    ),
    "removed and there": (
        answers("{version: v1.1.0, removed: [owner]}"),
        "declared",
        "copier.yml",
        "",
    ),
    "replaced of nothing": (
        answers("{version: v1.1.0, replaced: {region: {eu: us}}}"),
        "declared",
        "copier.yml",
        "",
    ),
    "no change that is known": (
        answers("{version: v1.1.0, deleted: [region]}"),
        "declared",
        "copier.yml",
        "",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_each_rule_finds_what_breaks_it(template: Path, broken: str) -> None:
    change, rule, path, said = BROKEN[broken]
    change(template)
    faults = check_template(template).faults
    assert {fault.rule for fault in faults} == {rule}, faults
    assert all(fault.path.endswith(path) for fault in faults), faults
    assert all(said in fault.answers for fault in faults), faults


def test_a_text_in_a_path_is_its_validators_matter(template: Path) -> None:
    declare("package: {type: str, default: app}")(template)
    write("{{ package }}/a.yaml.jinja", "package: {{ package }}\n")(template)
    assert check_template(template).faults == ()


def test_what_is_declared_and_there_is_no_fault(template: Path) -> None:
    changes = (
        "{version: v1.1.0, renamed: {team: group}, added: {stack: go}}",
        "{version: v1.2.0, removed: [tier], renamed: {group: owner}, replaced: {owner: {a: b}}}",
    )
    answers(", ".join(changes))(template)
    assert check_template(template).faults == ()


def test_a_lost_executable_bit_is_a_fault(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "copymode", lambda *_a, **_k: None)
    monkeypatch.setattr(os, "chmod", lambda *_a, **_k: None)
    (fault,) = {one.rule for one in check_template(template).faults}
    assert fault == "executable"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=7))
def test_of_many_combinations_all_pairs_are_tried(sizes: list[int]) -> None:
    rows = covering(sizes)
    for one, other in itertools.combinations(range(len(sizes)), 2):
        met = {(row[one], row[other]) for row in rows}
        assert met == set(itertools.product(range(sizes[one]), range(sizes[other])))
    assert len(rows) <= math.prod(sizes)


def test_many_combinations_are_tried_in_pairs(template: Path) -> None:
    more = "\n".join(f"q{number}: {{type: bool, default: true}}" for number in range(9))
    declare(more)(template)
    every = combinations(read_template(template), {})
    assert possible(read_template(template), {}) == 2**10
    assert 4 <= len(every) <= 16
