"""`svcgen env NAME` with Docker: the addresses are those that this machine reaches."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from svcgen.commands.env import env
from tests.support.docker_fleet import DockerWorkspace, tiny, workspace

pytestmark = pytest.mark.needs("docker")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DockerWorkspace]:
    yield from workspace(tmp_path)


def test_a_process_of_this_machine_reaches_what_a_replica_reaches(shop: DockerWorkspace) -> None:
    tiny(shop.root, "orders", calls=["catalog"])
    tiny(shop.root, "catalog")
    (shop.root / "svcgen.yaml").write_text("environment: {orders: {PRICE: 5$}}\n")
    added = {"DATABASE_URL": "postgresql://me:pa$$s@catalog:8080/db", "STOPPED": "http://late:1/"}
    late = {"image": "python:3.14-slim-trixie", "command": ["true"], "restart": "no"}
    override = {"services": {"orders": {"environment": added}, "late": late}}
    (shop.root / "compose.override.yaml").write_text(yaml.safe_dump(override))
    shop.up()
    given = env(shop.workspace, "orders")
    assert (given.engine, list(given.missing)) == ("docker", ["STOPPED"])
    assert given.missing["STOPPED"] == "late does not run. Start the fleet: svcgen up"
    with urllib.request.urlopen(f"{given.variables['CATALOG_URL']}/v1/catalog") as answer:
        assert json.load(answer)["replica"] in shop.ids("catalog")["catalog"]
    address = urlsplit(given.variables["CATALOG_URL"]).netloc
    assert given.variables["DATABASE_URL"] == f"postgresql://me:pa$s@{address}/db"
    assert (given.variables["PRICE"], given.variables["HOST"]) == ("5$", "127.0.0.1")
