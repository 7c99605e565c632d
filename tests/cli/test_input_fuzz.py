"""Whatever is typed: a valid service or a clear refusal, never a traceback, never a stray file."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from svcgen.commands.compose import compose
from svcgen.commands.new import new_service
from svcgen.errors import SvcgenError
from svcgen.gateway.registration import read_registration
from svcgen.render.answers import Answers
from svcgen.render.render import check_answers
from svcgen.workspace import open_workspace

PLATFORM = {"gateway", "platform", "composer", "database", "otel", "localhost"}
YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}  # words that are no text
RESERVED = PLATFORM | YAML
ENDINGS = ("-db", "-migrate")
LABEL = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")  # RFC 1035, 2.3.1; 40 characters here

tame = st.text("abc019-", min_size=1, max_size=42)
wild = st.text(min_size=0, max_size=60)
sources = st.sampled_from(
    ["{{ name }}", "{% raw %}", "{#", "../../x", "~", "null", "- a", "'\"", "$x"]
)
texts = st.one_of(wild, sources, st.text("{}%#'\"\\$`:-&*!|> \n\t\x00\x7f", max_size=20))

FLEETS, FLEET = 10, 20
EDGES = ["a", "b" * 40]


def sound(name: str) -> bool:
    taken = name in RESERVED or name.endswith(ENDINGS) or f"{name}-".startswith("x-")
    return bool(LABEL.fullmatch(name)) and not taken


labels = st.from_regex(LABEL, fullmatch=True).filter(sound)


@settings(max_examples=500, deadline=None)
@given(st.one_of(tame, wild, labels, sources))
@example("a")
@example("a" * 40)
@example("a" * 41)
@example("orders\n")
def test_a_name_is_taken_exactly_when_kubernetes_and_dns_would(name: str) -> None:
    try:
        check_answers({"name": name})
    except SvcgenError as refusal:
        assert not sound(name)
        assert refusal.advice
    else:
        assert sound(name)


def hostile_answers() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"name": st.one_of(labels, st.sampled_from(["a", "b" * 40]))},
        optional={
            "description": texts,
            "owner": texts,
            "registry": st.one_of(texts, st.just("localhost:5000/a/b")),
            "database": st.sampled_from(["none", "postgres"]),
            "calls": st.one_of(st.lists(labels, max_size=3, unique=True), texts),
        },
    )


@settings(max_examples=500, deadline=None)
@given(hostile_answers())
def test_answers_are_taken_or_refused_with_advice(answers: dict[str, Any]) -> None:
    try:
        check_answers(answers)
    except SvcgenError as refusal:
        assert refusal.problem


plain = st.text("azAZ09 .,-_äß漢🍏'\"{}%#$:&*!|>`\\", min_size=1, max_size=40).filter(str.strip)


@settings(max_examples=200, deadline=None)
@given(labels, plain, plain, st.lists(labels, max_size=3, unique=True))
def test_what_is_sound_is_taken(name: str, description: str, owner: str, calls: list[str]) -> None:
    given = {"name": name, "description": description, "owner": owner}
    check_answers({**given, "calls": [callee for callee in calls if callee != name]})


@st.composite
def fleets(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Services of one workspace: sound names that call each other, and texts of all kinds."""
    others = labels.filter(lambda name: name not in EDGES)
    names = EDGES + draw(st.lists(others, min_size=FLEET - 2, max_size=FLEET - 2, unique=True))
    return [
        {
            "name": name,
            "description": draw(st.one_of(plain, sources)),
            "owner": draw(st.one_of(plain, sources)),
            "registry": draw(st.sampled_from(["ghcr.io/acme", "localhost:5000/a/b", "x"])),
            "database": draw(st.sampled_from(["none", "postgres"])),
            "calls": draw(st.lists(st.sampled_from(names), max_size=3, unique=True)),
        }
        for name in names
    ]


@pytest.mark.needs("helm", "docker")
@settings(max_examples=FLEETS, deadline=None, phases=[Phase.generate])
@given(fleets())
def test_every_service_made_is_a_valid_one(fleet: list[dict[str, Any]]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    try:
        made = [
            new_service(folder / "shop" / a["name"], Answers(without_itself(a))).folder
            for a in fleet
        ]
        assert {path.name for path in folder.iterdir()} == {"shop"}
        assert set((folder / "shop").iterdir()) == set(made)
        quiet("helm", "lint", "--strict", "--quiet", *(str(path / "chart") for path in made))
        compose(open_workspace(folder / "shop"))
        quiet("docker", "compose", "-f", str(folder / "shop" / "compose.yaml"), "config", "-q")
    finally:
        shutil.rmtree(folder)


def without_itself(answers: dict[str, Any]) -> dict[str, Any]:
    return {**answers, "calls": [name for name in answers["calls"] if name != answers["name"]]}


@settings(max_examples=100, deadline=None)
@given(hostile_answers())
def test_what_is_refused_leaves_nothing(answers: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "shop", str(answers["name"]))
        try:
            new_service(target, Answers(answers))
        except SvcgenError:
            assert not list(Path(folder).iterdir())
        else:
            assert [path.name for path in Path(folder, "shop").iterdir()] == [answers["name"]]


def quiet(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr == ""


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
route_values = st.dictionaries(
    st.sampled_from(
        ["path", "exact", "regex", "methods", "auth", "expose", "timeout", "retry", "x"]
    ),
    st.one_of(json_values, st.sampled_from(["/v1/a", "none", "gateway", "5s", ["GET"]])),
)
registrations = st.dictionaries(
    st.sampled_from(["apiVersion", "service", "calls", "upstream", "routes", "y"]),
    st.one_of(json_values, st.dictionaries(st.sampled_from(["a", "b", "A b"]), route_values)),
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(json_values, registrations))
def test_a_registration_is_read_or_refused(content: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "registration.yaml")
        path.write_text(yaml.safe_dump(content))
        try:
            read_registration(path)
        except SvcgenError as refusal:
            assert "registration.yaml" in str(refusal)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_a_registration_of_any_bytes_is_refused_with_its_name(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "registration.yaml")
        path.write_bytes(content)
        with pytest.raises(SvcgenError, match=r"registration\.yaml"):
            read_registration(path)
