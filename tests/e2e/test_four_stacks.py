"""Four services in four languages, calling each other in a chain, with either engine.

One trace runs through all of them, and while requests come in each is scaled and killed in turn.
"""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
import uuid
from collections.abc import Iterator
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
from tests.support.under_load import ENGINES, LoadedFleet

pytestmark = [pytest.mark.alone, pytest.mark.needs("go", "java", "typescript")]
# Each calls the next one.
CHAIN: dict[str, dict[str, object]] = {
    "storefront": {"stack": "python", "calls": ["pricing"]},
    "pricing": {"stack": "go", "calls": ["stock"]},
    "stock": {"stack": "typescript", "calls": ["billing"], "database": "postgres"},
    "billing": {"stack": "java", "database": "postgres"},
}
PAGES = tuple(f"/v1/{name}?limit=1" for name in CHAIN)
GETS = (*PAGES, *PAGES, "/v1/storefront/summary?depth=3")
POSTS = tuple(f"/v1/{name}" for name in CHAIN)
# Requests a second: eight replicas, four compilers and a load that share two cores.
RATE = int(os.environ.get("SVCGEN_MIXED_RATE", "50"))
BETWEEN = 5.0  # seconds from one event to the next


@pytest.fixture(params=ENGINES)
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, new_service: NewService
) -> Iterator[LoadedFleet]:
    root = tmp_path / f"mixed-{os.getpid()}-{request.param}"
    root.mkdir()
    state_folder(root)
    for name, answers in CHAIN.items():
        new_service(name, root, **answers)
    with under_load.alone_on_this_machine():
        made = LoadedFleet(root, request.param, free_port(), tuple(CHAIN))
        yield made
        down(made.workspace, volumes=True)
        assert not ps(made.workspace).replicas


def test_four_languages_are_one_system(
    shop: LoadedFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    shop.up()
    took = time.monotonic() - began
    assert_one_trace(shop)
    with load(shop.port, RATE, GETS, POSTS) as outcomes:
        time.sleep(BETWEEN)
        events = [
            event
            for name in CHAIN
            for event in (
                under_load.happen(shop, f"{name} scaled", scale(name), BETWEEN),
                under_load.happen(shop, f"{name} killed", kill(name), BETWEEN),
            )
        ]
        time.sleep(BETWEEN)
    with capsys.disabled():
        print(f"\n{shop.engine}: up in {took:.0f} s, {len(outcomes)} requests")
        print(under_load.summary(shop, events, outcomes))
    under_load.require_no_losses(events, outcomes)


def scale(name: str) -> under_load.Act:
    return lambda shop: shop.up(**{name: 2})


def kill(name: str) -> under_load.Act:
    return lambda shop: shop.signal(name, signal.SIGKILL)


def assert_one_trace(shop: LoadedFleet) -> None:
    """Follow one request down the chain: each answers with the next one's, and logs the trace."""
    trace = uuid.uuid4().hex
    url = f"http://127.0.0.1:{shop.port}/v1/storefront/summary?depth=3"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        told = json.load(answer)
    for name, following in zip(CHAIN, [*CHAIN][1:], strict=False):
        assert told["service"] == name
        told = told["calls"][following]
    assert told == {"service": "billing", "items": 0, "calls": {}}
    seen = {one.service for one in logs(shop.workspace, list(CHAIN)) if trace in one.text}
    assert seen == set(CHAIN)
