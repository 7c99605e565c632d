"""Two services behind the gateway under load, with either engine: nothing that happens loses a GET.

The load is open loop and goes on through all events, each of which has its own window: from 10 s
before it to 20 s after it is over. Windows overlap; a failure counts in each that it falls into.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from svcgen.commands.down import down
from svcgen.commands.logs import logs
from svcgen.commands.ps import ps
from svcgen.commands.up import up
from svcgen.run.engine import Replica
from svcgen.workspace import Workspace, open_workspace, state_folder
from tests.conftest import NewService
from tests.load import Outcome, load

pytestmark = pytest.mark.alone
# Most requests are cheap ones: two cores must also build, start and migrate meanwhile.
PAGES = ("/v1/catalog?limit=1", "/v1/orders?limit=1", "/v1/catalog?limit=1")
GETS = (*PAGES, *PAGES, *PAGES, "/v1/catalog/summary?depth=1")
POSTS = ("/v1/orders", "/v1/catalog")
# Requests a second, one POST in ten; a machine with too few cores may ask for fewer.
RATE = int(os.environ.get("SVCGEN_RATE", "205"))
BEFORE, AFTER, BETWEEN = 10.0, 20.0, 10.0  # seconds
PATIENCE = 60.0  # seconds until a replica that came back has answered, on a busy machine
ENGINES = [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("docker", "local")]


@dataclass(frozen=True)
class Shop:
    """A workspace with two services, its engine and its gateway's port."""

    root: Path
    engine: str
    port: int
    new_service: NewService

    @property
    def workspace(self) -> Workspace:
        return open_workspace(self.root)

    def up(self, *names: str, **scale: int) -> None:
        up(self.workspace, names, engine=self.engine, scale=scale, port=self.port)

    def replicas(self, *services: str) -> list[Replica]:
        return [one for one in ps(self.workspace).replicas if one.service in services]

    def signal(self, service: str, number: int) -> None:
        os.kill(self.replicas(service)[0].pid, number)

    def add_third(self) -> None:
        self.new_service("baskets", self.root, calls=["catalog"])
        self.up("baskets")


@dataclass(frozen=True)
class Event:
    """Something that happened, when it began and ended, and who could answer after it."""

    name: str
    began: float
    ended: float
    answered: Mapping[str, int]


EVENTS: tuple[tuple[str, Callable[[Shop], None]], ...] = (
    ("scaled to two", lambda shop: shop.up(orders=2, catalog=2)),
    ("kill -9 of a caller", lambda shop: shop.signal("catalog", signal.SIGKILL)),
    ("kill -9 of a callee", lambda shop: shop.signal("orders", signal.SIGKILL)),
    ("SIGTERM", lambda shop: shop.signal("catalog", signal.SIGTERM)),
    ("replaced", lambda shop: shop.up("orders")),
    ("third service added", Shop.add_third),
)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """Let one such load run at a time on this machine: two would measure each other."""
    with (Path(tempfile.gettempdir()) / "svcgen-e2e.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path, new_service: NewService) -> Iterator[Shop]:
    root = tmp_path / f"e2e-{os.getpid()}-{request.param}"
    root.mkdir()
    state_folder(root)
    new_service("orders", root, database="postgres")
    new_service("catalog", root, calls=["orders"])
    made = Shop(root, request.param, _free_port(), new_service)
    yield made
    down(made.workspace, volumes=True)
    assert not ps(made.workspace).replicas


@pytest.mark.parametrize("shop", ENGINES, indirect=True)
def test_no_get_is_lost(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    shop.up()
    took = time.monotonic() - began
    with load(shop.port, RATE, GETS, POSTS) as outcomes:
        time.sleep(BEFORE)
        events = [_happen(shop, name, act) for name, act in EVENTS]
        time.sleep(AFTER - BETWEEN)
    with capsys.disabled():
        print(f"\n{shop.engine}: up in {took:.0f} s, {len(outcomes)} requests")
        print("\n".join(_line(event, outcomes) for event in events))
        print(f"  tried again by the gateway: {_retries(shop)}")
    assert {event.name: _failed(outcomes, event, "GET") for event in events} == {
        event.name: [] for event in events
    }
    assert not [one for one in outcomes if one.method == "GET" and one.failed]
    for event in events:
        silent = [replica for replica, count in event.answered.items() if not count]
        assert not silent, f"{event.name}: never answered: {silent}"
    assert _status(shop.port, "/v1/baskets/summary?depth=2") == 200


def _happen(shop: Shop, name: str, act: Callable[[Shop], None]) -> Event:
    """Let something happen; then every replica that runs must have answered since."""
    began = time.time()
    act(shop)
    ended = time.time()
    time.sleep(BETWEEN)
    deadline = time.monotonic() + PATIENCE
    while 0 in (answered := _answered(shop)).values() and time.monotonic() < deadline:
        time.sleep(1)
    return Event(name, began, ended, answered)


def _answered(shop: Shop) -> dict[str, int]:
    """Count the requests that each replica says it has answered, probes aside."""
    running = shop.replicas("orders", "catalog")
    return {f"{one.service}-{one.number}": _answers(one) for one in running}


def _answers(replica: Replica) -> int:
    try:
        with urllib.request.urlopen(f"http://{replica.address}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except (OSError, ValueError):
        return 0  # it is just coming back
    counts = [line for line in text.splitlines() if "_seconds_count{" in line and "/v1/" in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in counts)


def _failed(outcomes: Sequence[Outcome], event: Event, method: str) -> list[str]:
    from_, until = event.began - BEFORE, event.ended + AFTER
    return [
        f"{one.sent - event.began:+.1f} s {one.path}: {one.status} {one.error}"
        for one in outcomes
        if one.failed and one.method == method and from_ <= one.sent <= until
    ]


def _line(event: Event, outcomes: Sequence[Outcome]) -> str:
    gets, posts = (_failed(outcomes, event, method) for method in ("GET", "POST"))
    took = event.ended - event.began
    text = f"  {event.name} ({took:.1f} s): failed GETs {len(gets)}, failed POSTs {len(posts)};"
    text += " answered " + ", ".join(f"{name} {count}" for name, count in event.answered.items())
    return "\n    ".join([text, *gets[:5], *posts[:5]])


def _retries(shop: Shop) -> dict[str, int]:
    """Count requests that the gateway sent more than once, by method, as its access log says."""
    tried: Counter[str] = Counter()
    for line in logs(shop.workspace, ["gateway"], tail=100_000):
        entry = json.loads(line.text) if line.text.startswith("{") else {}
        if int(entry.get("attempts") or 0) > 1:
            tried[entry["method"]] += 1
    return dict(tried)


def _status(port: int, path: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return int(answer.status)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
