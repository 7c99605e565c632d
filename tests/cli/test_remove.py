"""`svcgen remove`: what it refuses, what it changes in the workspace, and a run that is killed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.support import kill_points
from tests.support.run import answered, svcgen
from tests.support.services import tree
from tests.support.templates import commit, in_git, write
from tests.support.workspaces import make

SETTINGS = """\
# Ours: the gateway's port is known to the proxy.
gateway: {port: 9000, claims: {orders: [/v1/catalog/extra]}}
services:
  catalog: {upstream: {health: {interval: 2s}}} # its own server

  # The service of the old shop.
  orders:
    upstream: {health: {interval: 3s}}
environment: {orders: {A: b}, catalog: {C: d}}
folders:
  - catalog
  - orders # the first one
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a workspace in git: orders calls catalog, stock calls orders."""
    root = tmp_path / "shop"
    make(root, "catalog")
    make(root, "orders", calls=("catalog",))
    stock = make(root, "stock", calls=("orders",))
    for folder, callee in ((root / "orders", "catalog"), (stock, "orders")):
        (folder / "clients").mkdir()
        document = (root / callee / "openapi.json").read_bytes()
        (folder / f"clients/{callee}.openapi.json").write_bytes(document)
    assert svcgen("compose", within=root).returncode == 0
    return in_git(root)


def test_a_service_that_others_call_stays_until_they_no_longer_do(shop: Path) -> None:
    before = tree(shop)
    done = svcgen("remove", "orders", within=shop)
    assert (done.returncode, done.stdout) == (1, "")
    assert "orders is called by stock." in done.stderr
    assert "svcgen reconfigure stock -d 'calls=[]'" in done.stderr
    assert tree(shop) == before


def test_a_removed_service_is_named_nowhere(shop: Path) -> None:
    document = answered(svcgen("remove", "orders", "--force", "--json", within=shop))
    assert not (shop / "orders").exists()
    assert [caller["name"] for caller in document["callers"]] == ["stock"]
    files = {str(Path(path).relative_to(shop)) for path in document["changed"]}
    assert {"compose.yaml", "gateway/cds.json", "catalog/chart/callers.yaml"} <= files
    included = yaml.safe_load((shop / "compose.yaml").read_text())["include"]
    assert "orders" not in json.dumps([each for each in included if isinstance(each, str)])
    clusters = json.loads((shop / "gateway/cds.json").read_text())["resources"]
    assert "orders" not in {cluster["name"] for cluster in clusters}
    assert yaml.safe_load((shop / "catalog/chart/callers.yaml").read_text()) == {"callers": []}
    assert svcgen("compose", "--check", within=shop).returncode == 0


def test_svcgen_yaml_keeps_all_that_is_about_others(shop: Path) -> None:
    shutil.rmtree(shop / "stock")
    write(shop, {"svcgen.yaml": SETTINGS})
    assert svcgen("compose", within=shop).returncode == 0
    commit(shop)
    assert svcgen("remove", "orders", within=shop).returncode == 0
    assert (shop / "svcgen.yaml").read_text() == (
        "# Ours: the gateway's port is known to the proxy.\n"
        "gateway: {port: 9000}\n"
        "services:\n"
        "  catalog: {upstream: {health: {interval: 2s}}} # its own server\n\n"
        "  # The service of the old shop.\n"
        "environment: {catalog: {C: d}}\n"
        "folders:\n"
        "  - catalog\n"
    )
    listed = answered(svcgen("list", "--json", within=shop))
    assert [service["name"] for service in listed["services"]] == ["catalog"]


def _without_git(shop: Path) -> None:
    shutil.rmtree(shop / ".git")


def _uncommitted(shop: Path) -> None:
    write(shop, {"stock/own.txt": "mine\n"})


def _own_repository(shop: Path) -> None:
    in_git(shop / "stock")


def _edited(shop: Path) -> None:
    write(shop, {"compose.yaml": (shop / "compose.yaml").read_text() + "# mine\n"})


def _broken(shop: Path) -> None:
    write(shop, {"catalog/compose.yaml": "services: {}\n"})


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [
        (_without_git, "in no git repository"),
        (_uncommitted, "changes that are not committed: own.txt"),
        (_own_repository, "its commits would be deleted"),
        (_edited, "edited since: compose.yaml"),
        (_broken, "catalog/compose.yaml"),
    ],
)
def test_what_is_refused_changes_nothing(
    shop: Path, prepare: Callable[[Path], None], problem: str
) -> None:
    prepare(shop)
    before = tree(shop)
    done = svcgen("remove", "stock", within=shop)
    assert done.returncode == 1
    assert problem in done.stderr
    assert tree(shop) == before


def test_the_last_service_leaves_a_gateway_without_routes(shop: Path) -> None:
    for name in ("stock", "orders", "catalog"):
        assert svcgen("remove", name, "--force", within=shop).returncode == 0
    assert yaml.safe_load((shop / "compose.yaml").read_text())["include"] == []
    done = svcgen("remove", "catalog", within=shop)
    assert (done.returncode, "no service" in done.stderr) == (1, True)


@pytest.mark.slow
def test_a_killed_run_is_finished_by_the_same_command(shop: Path, tmp_path: Path) -> None:
    write(shop, {"svcgen.yaml": "folders: [catalog, orders, stock]\nservices: {stock: {}}\n"})
    assert svcgen("compose", within=shop).returncode == 0
    commit(shop)
    words = ["remove", "stock", "--force"]
    done = shutil.copytree(shop, tmp_path / "done" / "shop")
    assert kill_points.run(words, done) == 0
    wanted = tree(done)
    number = 0
    while True:
        number += 1
        again = shutil.copytree(shop, tmp_path / str(number) / "shop")
        if not kill_points.killed_at(number, words, again):
            break
        code = kill_points.run(words, again)
        assert code == 0 or not (again / "stock").exists()
        left = {path: text for path, text in tree(again).items() if ".svcgen-new-" not in path}
        assert left == wanted
    assert number > 5, "nothing was killed"
