"""What happens to a fleet behind the gateway under load: each event, who answered, what was lost.

The load is open loop and goes on through all events, each of which has its own window: from BEFORE
it to AFTER it is over. Windows overlap; a failure counts in each that it falls into.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from svcgen.commands.logs import logs
from svcgen.commands.ps import ps
from svcgen.commands.up import up
from svcgen.run.engine import Replica
from svcgen.workspace import Workspace, open_workspace
from tests.support.load import Outcome

Act = Callable[["LoadedFleet"], None]
BEFORE, AFTER, BETWEEN = 10.0, 20.0, 10.0  # seconds
PATIENCE = 60.0  # seconds until a replica that came back has answered, on a busy machine
ENGINES = [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("docker", "local")]


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
        return [one for one in ps(self.workspace).replicas if one.service in services]

    def signal(self, service: str, number: int) -> None:
        os.kill(self.replicas(service)[0].pid, number)


@dataclass(frozen=True)
class Event:
    """Something that happened, when it began and ended, and who could answer after it."""

    name: str
    began: float
    ended: float
    answered: Mapping[str, int]


@contextmanager
def alone_on_this_machine() -> Iterator[None]:
    """Let one such load run at a time on this machine: two would measure each other."""
    with (Path(tempfile.gettempdir()) / "svcgen-e2e.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def happen(shop: LoadedFleet, name: str, act: Act, between: float = BETWEEN) -> Event:
    """Let something happen; then every replica that runs must have answered since."""
    began = time.time()
    act(shop)
    ended = time.time()
    time.sleep(between)
    deadline = time.monotonic() + PATIENCE
    while 0 in (counts := answered(shop)).values() and time.monotonic() < deadline:
        time.sleep(1)
    return Event(name, began, ended, counts)


def tell(shop: LoadedFleet, events: Sequence[Event], outcomes: Sequence[Outcome]) -> str:
    """Say what every event cost, and what the gateway sent more than once."""
    lines = [line(event, outcomes) for event in events]
    return "\n".join([*lines, f"  tried again by the gateway: {retries(shop)}"])


def refuse_losses(events: Sequence[Event], outcomes: Sequence[Outcome]) -> None:
    """Fail when a GET was lost, at any time, or a replica that ran after an event was silent."""
    lost = {event.name: failed(outcomes, event, "GET") for event in events}
    assert lost == {event.name: [] for event in events}
    assert not [one for one in outcomes if one.method == "GET" and one.failed]
    for event in events:
        silent = [replica for replica, count in event.answered.items() if not count]
        assert not silent, f"{event.name}: never answered: {silent}"


def answered(shop: LoadedFleet) -> dict[str, int]:
    """Count the requests that each replica says it has answered, probes aside."""
    running = shop.replicas(*shop.watched)
    return {f"{one.service}-{one.number}": answers(one) for one in running}


def answers(replica: Replica) -> int:
    try:
        with urllib.request.urlopen(f"http://{replica.address}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except (OSError, ValueError):
        return 0  # it is just coming back
    counts = [line for line in text.splitlines() if "_seconds_count{" in line and "/v1/" in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in counts)


def failed(outcomes: Sequence[Outcome], event: Event, method: str) -> list[str]:
    from_, until = event.began - BEFORE, event.ended + AFTER
    return [
        f"{one.sent - event.began:+.1f} s {one.path}: {one.status} {one.error}"
        for one in outcomes
        if one.failed and one.method == method and from_ <= one.sent <= until
    ]


def line(event: Event, outcomes: Sequence[Outcome]) -> str:
    gets, posts = (failed(outcomes, event, method) for method in ("GET", "POST"))
    took = event.ended - event.began
    text = f"  {event.name} ({took:.1f} s): failed GETs {len(gets)}, failed POSTs {len(posts)};"
    text += " answered " + ", ".join(f"{name} {count}" for name, count in event.answered.items())
    return "\n    ".join([text, *gets[:5], *posts[:5]])


def retries(shop: LoadedFleet) -> dict[str, int]:
    """Count requests that the gateway sent more than once, by method, as its access log says."""
    tried: Counter[str] = Counter()
    for line in logs(shop.workspace, ["gateway"], tail=100_000):
        entry = json.loads(line.text) if line.text.startswith("{") else {}
        if int(entry.get("attempts") or 0) > 1:
            tried[entry["method"]] += 1
    return dict(tried)


def status(port: int, path: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return int(answer.status)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
