"""`svcgen env NAME`: a process of the user's own acts as a replica of the service."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from svcgen.env_file import line, read_env_file
from tests.support.local_fleet import LocalWorkspace, psql, tiny, workspace
from tests.support.run import answered, svcgen

pytestmark = pytest.mark.needs("local")
SECRET = "it's 5$ # \\n"
ASK = 'curl --silent --show-error "$CATALOG_URL/v1/catalog"; echo; printenv SECRET DATABASE_URL'


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def env(shop: LocalWorkspace, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command where no Docker engine answers: then the next fleet is a local one, too."""
    return svcgen("env", *words, within=shop.root, DOCKER_HOST="unix:///nowhere")


def test_each_format_has_what_a_replica_gets(shop: LocalWorkspace) -> None:
    orders = tiny(shop.root, "orders", database="postgres", calls=["catalog"])
    tiny(shop.root, "catalog")
    (orders / ".env").write_text(line("SECRET", SECRET))
    (shop.root / "svcgen.yaml").write_text('environment: {"*": {REGION: eu}}\n')
    before = answered(env(shop, "orders", "--json"))
    assert (before["engine"], set(before["missing"])) == ("local", {"CATALOG_URL", "DATABASE_URL"})
    plain = env(shop, "orders")
    assert "REGION=eu\n" in plain.stdout
    assert "DATABASE_URL has no value: it is known when the service runs." in plain.stderr

    shop.up()
    given = answered(env(shop, "orders", "--json"))
    assert given["missing"] == {}
    replica = psutil.Process(shop.pids("orders")[0]).environ()
    expected = {name: replica[name] for name in given["variables"].keys() - {"PORT"}}
    assert expected == {key: value for key, value in given["variables"].items() if key != "PORT"}
    assert {"SECRET", "REGION", "HOST", "SERVICE_VERSION"} <= expected.keys()
    assert expected["SECRET"] == SECRET
    assert psql(expected["DATABASE_URL"], "select current_user") == "orders"

    exports = env(shop, "orders", "--shell").stdout
    lines = subprocess.check_output(["bash", "-c", f"{exports}\n{ASK}"], text=True).splitlines()
    assert json.loads(lines[0])["service"] == "catalog"
    assert lines[1:] == [SECRET, expected["DATABASE_URL"]]
    written = env(shop, "orders", "--dotenv").stdout
    (shop.root / ".env").write_text(written)
    assert read_env_file(shop.root) == given["variables"]


def test_a_service_that_the_fleet_lacks_has_no_database_yet(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    shop.up()
    tiny(shop.root, "stock", database="postgres", calls=["orders"])
    done = env(shop, "stock")
    assert done.returncode == 0, done.stderr
    assert "DATABASE_URL has no value" in done.stderr
    assert done.stderr.count("Start it: svcgen up stock") == 2
    assert env(shop, "stock", "--shell", "--json").returncode == 2
    assert os.environ["PATH"] not in done.stdout
