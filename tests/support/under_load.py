"""Events of a fleet under load: which replicas answered after each, and which requests failed.

The load is open loop and continues through all events. Each event has a window: from BEFORE it to
AFTER its end. Windows overlap; a failure counts in each window that contains it.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from svcgen.commands.logs import logs
from svcgen.commands.ps import ps
from svcgen.commands.up import up
from svcgen.files import locked
from svcgen.run.engine import Replica
from svcgen.workspace import Workspace, open_workspace
from tests.support.load import Outcome

Act = Callable[["LoadedFleet"], None]
BEFORE, AFTER, BETWEEN = 10.0, 20.0, 5.0  # seconds
TIMEOUT = 60.0  # seconds until a replica that came back has answered, on a busy machine


@dataclass(frozen=True)
class LoadedFleet:
    """A workspace, its engine, its gateway's port, and the services whose replicas are watched."""

    root: Path
    engine: str
    port: int
    watched: tuple[str, ...]

    @property
    def workspace(self) -> Workspace:
        return open_workspace(self.root)

    def up(self, *names: str, **scale: int) -> None:
        up(self.workspace, names, engine=self.engine, scale=scale, port=self.port)

    def replicas(self, *services: str) -> list[Replica]:
        return [replica for replica in ps(self.workspace).replicas if replica.service in services]

    def signal(self, service: str, number: int) -> None:
        os.kill(self.replicas(service)[0].pid, number)


@dataclass(frozen=True)
class Event:
    """An event: when it began and ended, and how many requests each replica answered after it."""

    name: str
    began: float
    ended: float
    answered: Mapping[str, int]


@contextmanager
def alone_on_this_machine() -> Iterator[None]:
    """Wait until no other load runs on this machine: two loads would disturb each other."""
    with locked(Path(tempfile.gettempdir()) / "svcgen-e2e.lock", create=True):
        yield


def happen(shop: LoadedFleet, name: str, act: Act) -> Event:
    """Run `act`, and wait until every running replica has answered a request since."""
    began = time.time()
    act(shop)
    ended = time.time()
    time.sleep(BETWEEN)
    deadline = time.monotonic() + TIMEOUT
    while 0 in (counts := answered(shop)).values() and time.monotonic() < deadline:
        time.sleep(1)
    return Event(name, began, ended, counts)


def summary(shop: LoadedFleet, events: Sequence[Event], outcomes: Sequence[Outcome]) -> str:
    """Return the failures of every event, and how many requests the gateway repeated."""
    lines = [line(event, outcomes) for event in events]
    return "\n".join([*lines, f"  repeated by the gateway: {retries(shop)}"])


def require_no_losses(events: Sequence[Event], outcomes: Sequence[Outcome]) -> None:
    """Fail when a GET was lost, at any time, or a replica that ran after an event was silent."""
    lost = {event.name: failed(outcomes, event, "GET") for event in events}
    assert lost == {event.name: [] for event in events}
    assert not [get for get in outcomes if get.method == "GET" and get.failed]
    for event in events:
        silent = [replica for replica, count in event.answered.items() if not count]
        assert not silent, f"{event.name}: never answered: {silent}"


def answered(shop: LoadedFleet) -> dict[str, int]:
    """Return how many requests each replica has answered, without health checks."""
    running = shop.replicas(*shop.watched)
    return {f"{replica.service}-{replica.number}": answers(replica) for replica in running}


def answers(replica: Replica) -> int:
    try:
        with urllib.request.urlopen(f"http://{replica.address}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except (OSError, ValueError):
        return 0  # it is starting again
    counts = [line for line in text.splitlines() if "_seconds_count{" in line and "/v1/" in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in counts)


def failed(outcomes: Sequence[Outcome], event: Event, method: str) -> list[str]:
    from_, until = event.began - BEFORE, event.ended + AFTER
    return [
        f"{request.sent - event.began:+.1f} s {request.path}: {request.status} {request.error}"
        for request in outcomes
        if request.failed and request.method == method and from_ <= request.sent <= until
    ]


def line(event: Event, outcomes: Sequence[Outcome]) -> str:
    gets, posts = (failed(outcomes, event, method) for method in ("GET", "POST"))
    took = event.ended - event.began
    text = f"  {event.name} ({took:.1f} s): failed GETs {len(gets)}, failed POSTs {len(posts)};"
    text += " answered " + ", ".join(f"{name} {count}" for name, count in event.answered.items())
    return "\n    ".join([text, *gets[:5], *posts[:5]])


def retries(shop: LoadedFleet) -> dict[str, int]:
    """Count requests that the gateway sent more than once, by method, from its access log."""
    tried: Counter[str] = Counter()
    for line in logs(shop.workspace, ["gateway"], tail=100_000).lines:
        entry = json.loads(line.text) if line.text.startswith("{") else {}
        if int(entry.get("attempts") or 0) > 1:
            tried[entry["http_request_method"]] += 1
    return dict(tried)


def status(port: int, path: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return int(answer.status)
