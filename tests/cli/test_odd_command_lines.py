"""Empty and odd words on the command line: an error that helps, never a traceback."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.run import svcgen
from tests.support.workspaces import make

COMMANDS = ("new", "list", "questions", "compose", "routes", "drift", "update", "reconfigure")
WORDS = st.sampled_from(
    [
        *("", "--", "-", ".", "..", "/", "orders", "a/b", "--yes", "--json", "--stack", "--calls"),
        *(
            "-d",
            "--data-file",
            "--database",
            "--ref",
            "--template",
            "--all",
            "=",
            "=x",
            "name=",
            " ",
        ),
        *("{{ name }}", "\x1b[2J", "orders\n", "-x", "--no-such", "--dry-run", "--abort"),
    ]
)


@pytest.mark.parametrize(
    "words",
    [
        ("new", "--stack", "python", "--", ""),
        ("new", ""),
        ("new", " "),
        ("new", "-d", "name=", ""),
        ("reconfigure", "", "-d", "a=b"),
        ("update", ""),
        ("drift", ""),
        ("compose", ""),
    ],
)
def test_an_empty_word_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    make(tmp_path, "orders")
    before = sorted(tmp_path.rglob("*"))
    done = svcgen(*words, within=tmp_path)
    assert done.returncode in {1, 2}, done.stdout
    assert "Traceback" not in done.stderr
    assert done.stderr
    assert sorted(tmp_path.rglob("*")) == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(command=st.sampled_from(COMMANDS), words=st.lists(WORDS, max_size=5))
def test_no_command_line_ends_in_a_traceback(command: str, words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), "orders")
        done = svcgen(command, *words, within=Path(folder))
    assert "Traceback" not in done.stderr, (command, words, done.stderr)
    assert done.returncode in {0, 1, 2, 3}
    assert "\x1b[2J" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--graph", "--outdated"),
        ("routes", "nope"),
        ("routes", "http://x/v1/orders"),
        ("routes", "/v1/orders", "-X", ""),
        ("routes", "/v1/orders", "-X", "G ET"),
    ],
)
def test_wrong_usage_exits_with_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    make(tmp_path, "orders")
    done = svcgen(*words, within=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_route_without_retries_says_so(tmp_path: Path) -> None:
    make(tmp_path, "orders")
    settings = "services: {orders: {routes: {orders: {retry: {attempts: 0}}}}}"
    (tmp_path / "svcgen.yaml").write_text(settings)
    done = svcgen("routes", "/v1/orders", within=tmp_path)
    assert "retries: none\n" in done.stdout, done.stderr


def test_the_advice_outside_git_is_the_same_command(tmp_path: Path) -> None:
    assert svcgen("new", "orders", within=tmp_path).returncode == 0
    done = svcgen("reconfigure", "orders", "-d", "owner=x", within=tmp_path)
    assert "add --force to the command" in done.stderr


def test_a_misspelt_route_in_svcgen_yaml_is_named_there(tmp_path: Path) -> None:
    make(tmp_path, "orders")
    settings = "services: {orders: {routes: {ordersx: {timeout: 30s}}}}"
    (tmp_path / "svcgen.yaml").write_text(settings)
    done = svcgen("routes", within=tmp_path)
    assert done.returncode == 1
    assert "svcgen.yaml (services.orders): routes.ordersx is not in" in done.stderr
    assert 'Did you mean "orders"?' in done.stderr
