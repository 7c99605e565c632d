"""Variables of the user: `environment` of svcgen.yaml, `.env` of a service, `.env` of the root."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.repository import NewService
from tests.support.workspaces import faults, inspect, make, stitch

SETTINGS = {
    "environment": {
        "*": {"REGION": "eu", "TIER": "all"},
        "orders": {"TIER": "own", "PRICE": "5$", "KEY": None, "LOG_LEVEL": "debug"},
    }
}


def given(root: Path, service: str, **shell: str) -> dict[str, str | None]:
    """Return the environment that Compose gives a service; it prints a `$` as `$$`."""
    words = ("docker", "compose", "config", "--format", "json")
    output = subprocess.check_output(words, cwd=root, text=True, env={**os.environ, **shell})
    found: dict[str, str | None] = json.loads(output)["services"][service]["environment"]
    return {name: value and value.replace("$$", "$") for name, value in found.items()}


@pytest.mark.needs("docker")
@pytest.mark.parametrize("database", ["none", "postgres"])
def test_compose_gives_a_service_the_variables_of_both_files(
    tmp_path: Path, new_service: NewService, database: str
) -> None:
    orders = new_service("orders", database=database)
    new_service("catalog")
    (tmp_path / "svcgen.yaml").write_text(yaml.safe_dump(SETTINGS))
    stitch(tmp_path)
    (orders / ".env").write_text("STRIPE_KEY='a$b'\nTIER=file\nSERVICE_TEAM=shop\n")
    (tmp_path / ".env").write_text("SERVICE_TEAM=root\nONLY_ROOT=1\nDRAIN_SECONDS=7\n")
    found = given(tmp_path, "orders", KEY="of the shell")
    assert (
        found.items()
        >= {
            "STRIPE_KEY": "a$b",
            "SERVICE_TEAM": "shop",
            "TIER": "own",
            "REGION": "eu",
            "PRICE": "5$",
            "KEY": "of the shell",
            "LOG_LEVEL": "debug",
            "DRAIN_SECONDS": "7",
        }.items()
    ), "the .env of the root gives values to compose.yaml, and no variables to a service"
    assert "ONLY_ROOT" not in found
    other = given(tmp_path, "catalog")
    assert (other["TIER"], other.get("STRIPE_KEY"), other["LOG_LEVEL"]) == ("all", None, "info")
    if database == "postgres":
        assert given(tmp_path, "orders-migrate")["STRIPE_KEY"] == "a$b"


def test_a_variable_that_is_no_longer_given_leaves_no_file(tmp_path: Path) -> None:
    make(tmp_path, "orders")
    written = tmp_path / "gateway/environment/orders.yaml"
    (tmp_path / "svcgen.yaml").write_text(yaml.safe_dump({"environment": {"*": {"A": "1"}}}))
    stitch(tmp_path)
    assert yaml.safe_load(written.read_text())["services"]["orders"]["environment"] == {"A": "1"}
    (tmp_path / "svcgen.yaml").write_text("")
    assert inspect(tmp_path).changes == ("compose.yaml: changes service orders/compose.yaml",)
    stitch(tmp_path)
    assert not written.exists()


def test_variables_that_the_engine_sets_are_refused(tmp_path: Path) -> None:
    orders = make(tmp_path, "orders", calls=("catalog",))
    make(tmp_path, "catalog")
    (orders / ".env").write_text("PORT=1\nCATALOG_URL=http://x\nFREE=1\n")
    settings = {"environment": {"*": {"CATALOG_URL": "x"}, "orders": {"CATALOG_URL": None}}}
    (tmp_path / "svcgen.yaml").write_text(yaml.safe_dump(settings))
    reason = "it must not contain CATALOG_URL: the engine sets it, because orders calls catalog."
    assert faults(tmp_path) == [
        "orders/.env: it must not contain PORT: the engine sets it.",
        f"orders/.env: {reason}",
        f"svcgen.yaml: environment.*: {reason}",
        f"svcgen.yaml: environment.orders: {reason}",
    ]
    (tmp_path / "svcgen.yaml").write_text("")
    (orders / ".env").write_text("A=1\nB C\n")
    assert faults(tmp_path) == [
        "orders/.env: line 2 is not NAME=VALUE, with the value in '...' or \"...\"."
    ]
