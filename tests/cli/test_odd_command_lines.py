"""Empty and odd words on the command line: an error that helps, never a traceback."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.main import get_command
from typer.testing import CliRunner

from svcgen.cli.app import app
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


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each command with the words that call it."""
    if words:
        yield words, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*words, name))


def test_every_option_and_argument_refuses_an_empty_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tried = 0
    for words, command in commands(get_command(app)):
        before = ["--"]
        for parameter in command.params:
            if getattr(parameter, "is_flag", False):
                continue
            is_option = parameter.param_type_name == "option"
            line = [*words, *([parameter.opts[0]] if is_option else before), ""]
            before += [] if is_option else ["x"]
            done = CliRunner().invoke(app, line)
            shown = parameter.opts[0] if is_option else parameter.metavar
            assert done.exit_code == 2, line
            assert f"Invalid value for '{shown}'" in done.stderr, line
            assert "it must not be empty. Give a value" in done.stderr, line
            tried += 1
    assert tried > 30
    assert list(tmp_path.iterdir()) == []


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
        ("routes", "*"),
        ("new", "orders", "--", "x", ""),
        ("up", "orders", ""),
        ("update", "--branch="),
        ("update", "--all", "orders"),
        ("compose", "--no-deps"),
        ("verify", "--only", "x\x1b[31m"),
        ("reconfigure", "orders", "--database", "postgres", "-d", "database=none"),
        ("routes", "/v1/orders", "-X", ""),
        ("routes", "/v1/orders", "-X", "G ET"),
    ],
)
def test_wrong_usage_exits_with_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    make(tmp_path, "orders")
    done = svcgen(*words, within=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "\x1b" not in done.stderr


def test_a_request_about_the_gateway_itself_is_explained(tmp_path: Path) -> None:
    make(tmp_path, "orders")
    done = svcgen("routes", "*", "-X", "OPTIONS", within=tmp_path)
    assert done.stdout.startswith("OPTIONS * -> 404 from the gateway\n"), done.stderr


def test_one_is_counted_in_the_singular(tmp_path: Path) -> None:
    make(tmp_path, "orders")
    done = svcgen("compose", within=tmp_path)
    assert done.stdout.startswith("1 service, 1 route at the gateway\n"), done.stderr


def test_a_name_with_a_newline_stays_on_its_line(tmp_path: Path) -> None:
    make(tmp_path, "orders", folder="a\nb/orders")
    assert svcgen("list", within=tmp_path).stdout.endswith("  a\\nb/orders\n")
    done = svcgen("new", "stock", "c\nd", within=tmp_path)
    assert done.stdout.startswith("c\\nd/\n├── "), done.stderr


def test_a_route_without_retries_says_so(tmp_path: Path) -> None:
    make(tmp_path, "orders")
    settings = "services: {orders: {routes: {orders: {retry: {attempts: 0}}}}}"
    (tmp_path / "svcgen.yaml").write_text(settings)
    done = svcgen("routes", "/v1/orders", within=tmp_path)
    assert "retries: none\n" in done.stdout, done.stderr


LIMITED = """
services:
  orders:
    routes:
      orders:
        rate_limit: [{requests: 9, per: 1m}, {requests: 2, per: 1s, by: route, burst: 4}]
        cors: {origins: [https://app.example], credentials: true}
        max_body: 2KiB
"""
STREAM = {"stream": True, "idle_timeout": "1m", "retry": None, "timeout": None}


def test_a_route_shows_its_limits(tmp_path: Path) -> None:
    make(tmp_path, "orders")
    (tmp_path / "svcgen.yaml").write_text(LIMITED)
    done = svcgen("routes", "/v1/orders", within=tmp_path)
    assert done.stdout.splitlines()[-4:] == [
        "rate limit: 9 per 1m by client_ip; of each gateway replica",
        "rate limit: 2 per 1s by route, 4 at once; of each gateway replica",
        "CORS: https://app.example, with credentials",
        "largest body: 2,048 bytes",
    ], done.stderr
    route = json.loads(svcgen("routes", "/v1/orders", "--json", within=tmp_path).stdout)["route"]
    assert [limit["burst"] for limit in route["rate_limits"]] == [9, 4]
    assert (route["cors"]["max_age_ms"], route["max_body"], route["stream"]) == (
        600_000,
        2048,
        False,
    )


def test_a_stream_shows_that_it_has_no_timeout(tmp_path: Path) -> None:
    make(tmp_path, "orders")
    file = tmp_path / "orders/chart/registration.yaml"
    content = yaml.safe_load(file.read_text())
    entry = {**content["routes"]["orders"], **STREAM}
    content["routes"]["orders"] = {key: value for key, value in entry.items() if value is not None}
    file.write_text(yaml.safe_dump(content))
    done = svcgen("routes", "/v1/orders", within=tmp_path)
    assert done.stdout.splitlines()[-2:] == [
        "stream: ends after 60s without a byte, retries: none",
        "largest body: no limit",
    ], done.stderr


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


def test_no_route_at_all_is_a_sentence(tmp_path: Path) -> None:
    assert svcgen("new", "mailer", "--kind", "worker", "--yes", within=tmp_path).returncode == 0
    done = svcgen("routes", within=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "No service of this workspace has routes.\n"
