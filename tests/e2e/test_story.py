"""A team replaces the example by its own order service, in each stack: what it types, and gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.support.checkout import Checkout
from tests.support.fleet.repository import git
from tests.support.repository import STACKS_HERE
from tests.support.run import svcgen
from tests.support.story import (
    LATER,
    STORY,
    Shop,
    ask_for_orders,
    described,
    open_shop,
    serve,
    update_orders,
    write_orders,
    write_template,
)

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local")]
KEPT = 40  # rules of the contract that need no example, at least


@dataclass(frozen=True)
class Story:
    """The service that the team has written, in its workspace."""

    stack: str
    shop: Shop
    orders: Checkout


@pytest.fixture(scope="module")
def open_for_all(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Return a workspace with products, which all stacks share."""
    root = tmp_path_factory.mktemp("story")
    return open_shop(root / "shop", write_template(root / "releases"))


@pytest.fixture(scope="module", params=STACKS_HERE)
def story(
    request: pytest.FixtureRequest, open_for_all: Shop, postgres: Callable[[str], str]
) -> Iterator[Story]:
    """Write orders in one stack; the next stack begins with products alone."""
    stack, shop = str(request.param), open_for_all
    before = git(shop.root, "rev-parse", "HEAD").strip()
    update_orders(shop, stack)
    yield Story(stack, shop, write_orders(shop, stack, postgres(f"story-{stack}")))
    git(shop.root, "reset", "--quiet", "--hard", before)
    git(shop.root, "clean", "--quiet", "-d", "--force", "--force", "-x", "orders")


def test_the_service_is_green_and_edits_no_managed_file(story: Story) -> None:
    story.orders.succeed("lint", "test")
    refused = story.orders.make("run", MAX_LINES="many")
    assert (refused.returncode, "MAX_LINES" in refused.stdout) == (2, True), refused.stdout
    assert described(story.orders.folder / "openapi.json") == described(STORY / "openapi.json")
    story.shop.type("drift", "orders")
    story.shop.type("compose", "--check")
    assert git(story.shop.root, "status", "--short") == ""


def test_a_later_release_does_not_conflict(story: Story) -> None:
    root = story.shop.root
    files = story.shop.update("--ref", LATER)
    assert len(files) > 20
    story.shop.type("drift", "orders")
    git(root, "reset", "--quiet", "--hard")
    git(root, "clean", "--quiet", "-d", "--force", "orders")


def test_the_contract_is_kept(story: Story, postgres: Callable[[str], str]) -> None:
    url = postgres(f"story-contract-{story.stack}")
    done = svcgen("verify", "orders", "--json", within=story.shop.root, DATABASE_URL=url)
    rules = json.loads(done.stdout)["rules"]
    assert {rule["name"]: rule["detail"] for rule in rules if rule["state"] == "broken"} == {}
    assert len([rule for rule in rules if rule["state"] == "kept"]) > KEPT
    assert done.returncode == 0


@pytest.mark.parametrize(
    "engine", ["local", pytest.param("docker", marks=pytest.mark.needs("docker"))]
)
def test_the_fleet_takes_orders(story: Story, engine: str) -> None:
    serve(story.shop, engine, ask_for_orders)
