"""svcgen.yaml is read strictly by every command that opens a workspace, with one message."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from svcgen.cli.app import app
from tests.support.workspaces import make

FROM_THE_ROOT = (
    "list",
    "list --graph",
    "list --outdated",
    "compose",
    "compose --check",
    "routes",
    "routes /v1/orders",
    "new payments --yes",
    "update orders",
    "update --all",
    "drift",
    "drift --fix orders",
    "reconfigure orders -d database=postgres",
    "up",
    "up orders",
    "restart orders",
)
FROM_THE_SERVICE = ("list", "compose", "update", "drift")
PAGE = "https://github.com/svcgen/svcgen/blob/main/docs/registration.md"
MISSPELT = {
    "gatway: {port: 9000}": 'gatway is not a known key. Did you mean "gateway"?',
    "gateway: {tmeout: 5s}": 'gateway.tmeout is not a known key. Did you mean "timeout"?',
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make(tmp_path, "orders")
    return tmp_path


@pytest.mark.parametrize("settings", MISSPELT)
@pytest.mark.parametrize(
    ("folder", "command"),
    [
        *((".", command) for command in FROM_THE_ROOT),
        *(("orders", command) for command in FROM_THE_SERVICE),
    ],
)
def test_a_misspelt_key_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, folder: str, command: str, settings: str
) -> None:
    (root / "svcgen.yaml").write_text(settings)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    monkeypatch.chdir(root / folder)
    done = CliRunner().invoke(app, command.split(), catch_exceptions=False)
    assert done.exit_code == 1, done.output
    assert f"Error: {root}/svcgen.yaml: {MISSPELT[settings]}" in done.output
    assert f"\n{PAGE} explains every key.\n" in done.output
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("[]", "must be a map of keys"),
        ("defaults: [owner]", "defaults must be a map"),
        ("folders: orders", "folders must be a list"),
        ("folders: [elsewhere]", "elsewhere, which is not a service"),
        ("gateway: {", "cannot be read"),
        ("gateway: {max_body: 1024}", "such as 512KiB or 1MiB, but is 1024: write its unit."),
        ("gateway: {max_body: 1MB}", "must be a size such as 512KiB or 1MiB, but is '1MB'."),
        ("gateway: {port: '8000'}", "but is '8000': write it without quotes."),
        ("gateway: {port: 0}", "gateway.port must be at least 1, but is 0."),
        ("gateway: {timeout: 10}", "with its unit, but is 10: write 10s."),
        ("gateway: {trusted_proxies: 11}", "from 0 to 10, or a list of their addresses"),
        ("gateway: {trusted_proxies: true}", "must be the number of proxies in front of the"),
        ("gateway: {trusted_proxies: 10.0.0.0/8}", "must be the number of proxies in front of"),
        ("gateway: {trusted_proxies: [10.0.0.1/8]}", "10.0.0.1/8 has host bits set"),
        ("gateway: {trusted_proxies: [0.0.0.0/0]}", "could then choose its address"),
        ("gateway: {trusted_proxies: [7]}", "but has 7: is not text"),
        ("gateway: {proxy_protocol: true, trusted_proxies: 1}", "remove one of them"),
        ("name: A b", "name must be lower-case letters, digits, - and _, but is 'A b'."),
        ("defaults: {_commit: v1.0.0}", "must not contain `_commit`: a template sets it"),
        ("defaults: {_src_path: x}", "must not contain `_src_path`: a template sets it"),
        ("defaults: {name: x}", "must not contain `name`: each service needs its own name"),
    ],
)
def test_what_is_not_a_map_of_settings_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, settings: str, problem: str
) -> None:
    (root / "svcgen.yaml").write_text(settings)
    monkeypatch.chdir(root)
    done = CliRunner().invoke(app, ["list"], catch_exceptions=False)
    assert done.exit_code == 1
    assert f"{root}/svcgen.yaml" in done.output
    assert problem in done.output


@pytest.mark.parametrize("command", ["down", "ps", "logs"])
def test_what_runs_is_shown_and_stopped_with_a_misspelt_key(
    root: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    settings, problem = next(iter(MISSPELT.items()))
    (root / "svcgen.yaml").write_text(settings)
    monkeypatch.chdir(root)
    done = CliRunner().invoke(app, [command], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert f"Warning: {root}/svcgen.yaml: {problem}" in done.stderr
    assert done.stderr.endswith("\nNothing runs. Start the fleet: svcgen up\n")


def test_a_folder_that_is_listed_twice_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "svcgen.yaml").write_text("folders: [orders, ./orders]")
    monkeypatch.chdir(root)
    done = CliRunner().invoke(app, ["list"], catch_exceptions=False)
    assert done.exit_code == 1
    assert f"lists {root}/orders more than once" in done.stderr
