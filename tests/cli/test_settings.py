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
    "ps",
    "logs",
    "restart orders",
)
FROM_THE_SERVICE = ("list", "compose", "update", "drift")
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
    assert "docs/registration.md explains every key." in done.output
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("[]", "must be a map of keys"),
        ("defaults: [owner]", "defaults must be a map"),
        ("folders: orders", "folders must be a list"),
        ("folders: [elsewhere]", "elsewhere, which is not a service"),
        ("gateway: {", "cannot be read"),
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


@pytest.mark.parametrize("settings", MISSPELT)
def test_down_works_with_a_misspelt_key(
    root: Path, monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    (root / "svcgen.yaml").write_text(settings)
    monkeypatch.chdir(root)
    done = CliRunner().invoke(app, ["down"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert f"Warning: {root}/svcgen.yaml: {MISSPELT[settings]}" in done.stderr


def test_a_folder_that_is_listed_twice_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "svcgen.yaml").write_text("folders: [orders, ./orders]")
    monkeypatch.chdir(root)
    done = CliRunner().invoke(app, ["list"], catch_exceptions=False)
    assert done.exit_code == 1
    assert f"lists {root}/orders more than once" in done.stderr
