"""`svcgen rename`: the service, its callers and the workspace, with what their owners wrote."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.support import kill_points
from tests.support.repository import STACKS
from tests.support.run import answered, svcgen
from tests.support.services import tree
from tests.support.templates import commit, git, in_git, write
from tests.support.workspaces import make

OWN = "package com.acme.orders.refunds;\n\nimport com.acme.orders.Store;\n\nclass Refund {}\n"
MOVED = "package com.acme.sales.refunds;\n\nimport com.acme.sales.Store;\n\nclass Refund {}\n"
GENERATED = "// Generated from another document.\n"


def new(root: Path, *words: str) -> None:
    done = svcgen("new", *words, "--yes", within=root)
    assert done.returncode == 0, done.stderr


def shop_of(root: Path, stack: str, name: str, *, callers: str = "web") -> Path:
    """Make a workspace in git, in which web calls the service and the service calls products."""
    root.mkdir()
    options = ("--stack", stack)
    new(root, "products", *options)
    new(root, name, *options, "--database", "postgres", "--calls", "products")
    new(root, callers, *options, "--calls", name)
    # A new caller has a copy of the template's document; a rename leaves the callee's current one.
    assert svcgen("compose", "--refresh", within=root).returncode == 0
    return in_git(root)


@pytest.mark.parametrize("stack", STACKS)
def test_a_renamed_service_is_as_one_made_with_the_new_name(tmp_path: Path, stack: str) -> None:
    root = shop_of(tmp_path / "old", stack, "orders")
    done = svcgen("rename", "orders", "sale-items", within=root)
    assert done.returncode == 0, done.stderr
    assert "Still with the name" not in done.stderr
    assert f"make -C {root}/web generate" in done.stderr
    assert tree(root) == tree(shop_of(tmp_path / "new", stack, "sale-items"))
    assert svcgen("drift", within=root).returncode == 0
    assert svcgen("compose", "--check", within=root).returncode == 0


def test_what_owners_wrote_moves_and_is_merged(tmp_path: Path) -> None:
    root = shop_of(tmp_path / "shop", "java", "orders")
    package = "orders/src/main/java/com/acme/orders"
    items = (root / package / "Items.java").read_text()
    write(
        root,
        {
            f"{package}/refunds/Refund.java": OWN,
            f"{package}/Items.java": f"{items}// Refunds are in orders, too.\n",
            "web/clients/orders.openapi.json": '{"openapi": "3.1.0", "paths": {}}\n',
            "web/src/main/java/com/acme/web/OrdersApi.java": GENERATED,
            "web/src/main/java/com/acme/web/Own.java": 'class Own { String it = "orders"; }\n',
        },
    )
    commit(root)
    document = answered(svcgen("rename", "orders", "sales", "--json", within=root))
    moved = root / "sales/src/main/java/com/acme/sales"
    assert (moved / "refunds/Refund.java").read_text() == MOVED
    assert (moved / "Items.java").read_text().startswith("package com.acme.sales;")
    assert (moved / "Items.java").read_text().endswith("// Refunds are in orders, too.\n")
    copy = (root / "web/clients/sales.openapi.json").read_bytes()
    assert copy == (root / "sales/openapi.json").read_bytes()
    assert (root / "web/src/main/java/com/acme/web/SalesApi.java").read_text() == GENERATED
    assert not (root / "web/clients/orders.openapi.json").exists()
    assert not (root / "orders").exists()
    mentioned = {str(Path(each["path"]).relative_to(root)) for each in document["mentions"]}
    assert mentioned == {
        "sales/src/main/java/com/acme/sales/Items.java",
        "web/src/main/java/com/acme/web/Own.java",
    }


def test_svcgen_yaml_and_a_folder_with_another_name(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    root.mkdir()
    new(root, "orders", "services/one")
    new(root, "stock")
    settings = "folders: [stock, services/one] # both\nenvironment:\n  orders: {A: b} # ours\n"
    write(root, {"svcgen.yaml": settings})
    in_git(root)
    assert svcgen("rename", "orders", "sales", within=root).returncode == 0
    assert svcgen("rename", "stock", "goods", within=root).returncode == 0
    assert (root / "svcgen.yaml").read_text() == (
        "folders: [goods, services/one] # both\nenvironment:\n  sales: {A: b} # ours\n"
    )
    listed = answered(svcgen("list", "--json", within=root))
    found = [(service["name"], service["folder"]) for service in listed["services"]]
    assert found == [("goods", "goods"), ("sales", "services/one")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop_of(tmp_path_factory.mktemp("made") / "shop", "python", "orders")


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Path:
    """Return the workspace, for a test to change."""
    return shutil.copytree(made, tmp_path / "shop")


def test_a_conflict_stops_it_and_the_same_command_continues(shop: Path) -> None:
    readme = (shop / "orders/README.md").read_text()
    assert readme.startswith("# orders\n")
    write(shop, {"orders/README.md": readme.replace("# orders\n", "# Our orders\n")})
    commit(shop)
    document = answered(svcgen("rename", "orders", "sales", "--json", within=shop), 3)
    assert document["finished"] is False
    assert [each["path"] for each in document["services"][0]["conflicts"]] == ["README.md"]
    assert (shop / "orders").is_dir()
    done = svcgen("rename", "orders", "sales", within=shop)
    assert (done.returncode, "in progress" in done.stderr) == (1, True)
    assert "svcgen update orders --continue" in done.stderr  # its folder
    assert svcgen("update", "sales", "--abort", within=shop).returncode == 0
    assert git("status", "--porcelain", within=shop) == ""
    assert svcgen("rename", "orders", "sales", within=shop).returncode == 3
    write(shop, {"orders/README.md": readme.replace("# orders\n", "# Our sales\n")})
    assert svcgen("update", "sales", "--continue", within=shop).returncode == 0
    done = svcgen("rename", "orders", "sales", within=shop)
    assert done.returncode == 0, done.stderr
    assert (shop / "sales/README.md").read_text().startswith("# Our sales\n")
    answers = yaml.safe_load((shop / "web/.copier-answers.yml").read_text())
    assert answers["calls"] == ["sales"]
    assert svcgen("compose", "--check", within=shop).returncode == 0


def _edited(shop: Path) -> None:
    write(shop, {"web/own.txt": "mine\n"})


def _in_the_way(shop: Path) -> None:
    write(shop, {"sales/own.txt": "mine\n"})


def _external(shop: Path) -> None:
    write(shop, {"svcgen.yaml": "external: {sales: {url: https://sales.example.com}}\n"})


def _nothing(_shop: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("old", "new_name", "prepare", "problem"),
    [
        ("orders", "sales", _edited, "web has changes that are not committed: own.txt"),
        ("orders", "sales", _in_the_way, "sales already exists"),
        ("orders", "sales", _external, "is an external service"),
        ("orders", "Sales", _nothing, "not a valid host name"),
        ("orders", "gateway", _nothing, "reserved"),
        ("orders", "web", _nothing, 'The name "web" is used'),
        ("order", "sales", _nothing, 'Did you mean "orders"?'),
        ("order", "web", _nothing, 'Did you mean "orders"?'),
    ],
)
def test_what_is_refused_changes_nothing(
    shop: Path, old: str, new_name: str, prepare: Callable[[Path], None], problem: str
) -> None:
    prepare(shop)
    before = tree(shop)
    done = svcgen("rename", old, new_name, within=shop)
    assert done.returncode == 1
    assert problem in done.stderr
    assert tree(shop) == before


def test_a_caller_without_a_template_is_named_with_what_to_change(shop: Path) -> None:
    make(shop, "legacy", calls=("orders",))
    (shop / "legacy/.copier-answers.yml").unlink()
    commit(shop)
    document = answered(svcgen("rename", "orders", "sales", "--json", within=shop))
    (step,) = [step for step in document["steps"] if step.startswith("legacy: ")]
    assert "replace orders by sales in `calls`" in step
    assert "ORDERS_URL by SALES_URL" in step
    done = svcgen("rename", "legacy", "old", within=shop)
    assert (done.returncode, "has no template" in done.stderr) == (1, True)


@pytest.mark.slow
def test_a_killed_run_is_finished_by_the_same_command(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    root.mkdir()
    new(root, "orders")
    new(root, "web", "--calls", "orders")
    write(root, {"svcgen.yaml": "folders: [orders, web]\n"})
    assert svcgen("compose", within=root).returncode == 0
    in_git(root)
    words = ["rename", "orders", "sales"]
    done = shutil.copytree(root, tmp_path / "done" / "shop")
    assert kill_points.run(words, done) == 0
    wanted = tree(done)
    for number in range(5, 1000, 26):  # some of two hundred
        again = shutil.copytree(root, tmp_path / str(number) / "shop")
        if not kill_points.killed_at(number, words, again):
            break
        assert kill_points.run(words, again) in {0, 1}  # 1: all was done
        left = {path: text for path, text in tree(again).items() if ".svcgen-new-" not in path}
        assert left == wanted, number
    assert number > 100, "nothing was killed"
