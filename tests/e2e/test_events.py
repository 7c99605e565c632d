"""Four stacks behind the gateway under load, with either engine: no event loses a GET.

The services call each other in a chain: one trace is in the logs of all four. Each is scaled and
killed; one is stopped, one replaced, and a fifth service is added.
"""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from svcgen.commands.down import down
from svcgen.commands.logs import logs
from svcgen.commands.ps import ps
from svcgen.ports import free_port
from svcgen.workspace import state_folder
from tests.support import under_load
from tests.support.load import load
from tests.support.repository import NewService
from tests.support.under_load import AFTER, BEFORE, BETWEEN, LoadedFleet

pytestmark = pytest.mark.alone
ENGINES = [
    pytest.param("docker", marks=pytest.mark.needs("docker")),
    pytest.param("local", marks=pytest.mark.needs("local", "go", "java", "typescript")),
]
# Each calls the next one.
CHAIN: dict[str, dict[str, object]] = {
    "storefront": {"stack": "python", "calls": ["pricing"]},
    "pricing": {"stack": "go", "calls": ["stock"]},
    "stock": {"stack": "typescript", "calls": ["billing"], "database": "postgres"},
    "billing": {"stack": "java", "database": "postgres"},
}
ADDED = "baskets"
# Most requests are cheap ones: two cores must also build, start and migrate meanwhile.
PAGES = tuple(f"/v1/{name}?limit=1" for name in CHAIN)
GETS = (*PAGES, *PAGES, "/v1/storefront/summary?depth=3")
POSTS = tuple(f"/v1/{name}" for name in CHAIN)
# Requests a second, one POST in ten: eight replicas, four compilers and the load share two cores.
RATE = int(os.environ.get("SVCGEN_RATE", "50"))


def kill(name: str, shop: LoadedFleet) -> None:
    shop.signal(name, signal.SIGKILL)


EVENTS: tuple[tuple[str, under_load.Act], ...] = (
    ("each scaled to two", lambda shop: shop.up(**dict.fromkeys(CHAIN, 2))),
    *((f"kill -9 of {name}", partial(kill, name)) for name in CHAIN),
    ("SIGTERM", lambda shop: shop.signal("storefront", signal.SIGTERM)),
    ("replaced", lambda shop: shop.up("stock")),
    ("fifth service added", lambda shop: shop.up(ADDED)),
)


@pytest.fixture
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, new_service: NewService
) -> Iterator[LoadedFleet]:
    root = tmp_path / f"e2e-{os.getpid()}-{request.param}"
    root.mkdir()
    state_folder(root)
    for name, answers in CHAIN.items():
        new_service(name, root, **answers)
    with under_load.alone_on_this_machine():
        made = LoadedFleet(root, request.param, free_port(), tuple(CHAIN))
        yield made
        down(made.workspace, volumes=True)
        assert not ps(made.workspace).replicas


@pytest.mark.parametrize("shop", ENGINES, indirect=True)
def test_four_stacks_are_one_system_and_no_get_is_lost(
    shop: LoadedFleet, new_service: NewService, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    shop.up()
    took = time.monotonic() - began
    assert_one_trace(shop)
    with load(shop.port, RATE, GETS, POSTS) as outcomes:
        time.sleep(BEFORE)
        events = []
        for name, act in EVENTS:
            if name == "fifth service added":
                new_service(ADDED, shop.root, calls=["storefront"])
            events.append(under_load.happen(shop, name, act))
        time.sleep(AFTER - BETWEEN)
    with capsys.disabled():
        print(f"\n{shop.engine}: up in {took:.0f} s, {len(outcomes)} requests")
        print(under_load.summary(shop, events, outcomes))
    under_load.require_no_losses(events, outcomes)
    assert under_load.status(shop.port, f"/v1/{ADDED}/summary?depth=4") == 200


def assert_one_trace(shop: LoadedFleet) -> None:
    """Follow one request down the chain: each answers with the next one's, and logs the trace."""
    trace = uuid.uuid4().hex
    url = f"http://127.0.0.1:{shop.port}/v1/storefront/summary?depth=3"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        summary = json.load(answer)
    for name, following in zip(CHAIN, [*CHAIN][1:], strict=False):
        assert summary["service"] == name
        summary = summary["calls"][following]
    assert summary == {"service": "billing", "items": 0, "calls": {}}
    logged = {one.service for one in logs(shop.workspace, list(CHAIN)).lines if trace in one.text}
    assert logged == set(CHAIN)
