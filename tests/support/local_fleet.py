"""Tiny services that start in a moment, and what tests of the local engine ask of a fleet."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from svcgen.compose.write import checked_fleet
from svcgen.ports import free_port
from svcgen.run.engine import FleetRequest, Replica
from svcgen.run.local import processes
from svcgen.run.local.engine import LocalEngine
from svcgen.run.local.paths import Paths
from svcgen.workspace import open_workspace
from tests.support.repository import REPOSITORY

TINY = REPOSITORY / "tests" / "data" / "tiny"


def tiny(root: Path, name: str, *, database: str = "none", calls: Sequence[str] = ()) -> Path:
    """Write a service that takes no second to start."""
    folder = root / name
    shutil.copytree(TINY, folder)
    (folder / "chart").mkdir()
    answers = {"name": name, "stack": "python", "database": database, "_commit": "v0.0.1"}
    urls = {f"{called.upper()}_URL": f"http://{called}:8080" for called in calls}
    stack = {"services": {name: {"networks": ["platform"], "environment": urls}}}
    route = {"path": f"/v1/{name}", "auth": "none", "retry": {"attempts": 2}}
    registration = {"apiVersion": "svcgen.dev/v1", "service": name, "calls": list(calls)}
    operations = {"paths": {f"/v1/{name}": {"get": {"operationId": "list"}}}}
    for file, content in {
        ".copier-answers.yml": answers,
        "compose.yaml": stack,
        "openapi.json": operations,
        "chart/registration.yaml": {**registration, "routes": {name: route}},
    }.items():
        (folder / file).write_text(json.dumps(content))
    return folder


class LocalWorkspace:
    """One workspace, its engine, and what it reported."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.port = free_port()
        self.engine = LocalEngine(root)
        self.reported: list[tuple[str, str]] = []

    def report(self, service: str, text: str) -> None:
        self.reported.append((service, text))

    def up(self, only: str = "", **scale: int) -> None:
        self._up(scale=scale, only=frozenset(only.split()))

    def replace(self, name: str) -> None:
        names = frozenset({name})
        self._up(only=names, replaced=names)

    def restart(self, name: str) -> None:
        self.engine.restart(open_workspace(self.root), name, self.report)

    def _up(self, **limits: Any) -> None:
        fleet = checked_fleet(open_workspace(self.root))
        before = self.engine.observe()
        self.engine.up(FleetRequest(fleet, self.port, before=before, **limits), self.report)

    def down(self) -> None:
        self.engine.down(self.report)

    def get(self, path: str) -> tuple[int, Any]:
        return get(self.port, path)

    def rows(self, service: str) -> list[Replica]:
        return [row for row in self.engine.observe().replicas if row.service == service]

    def pids(self, service: str) -> list[int]:
        return [row.pid for row in self.rows(service)]

    def left(self) -> list[processes.LabelledProcess]:
        return processes.find(Paths(self.root).run)


def workspace(root: Path) -> Iterator[LocalWorkspace]:
    """Yield a workspace for a fixture; after the test nothing of its fleet is left."""
    shop = LocalWorkspace(root)
    yield shop
    shop.down()
    assert not shop.left()


def get(port: int, path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


@contextmanager
def load(port: int, path: str, rate: int = 150) -> Iterator[Counter[int]]:
    """Send requests, each at its own time whether or not earlier ones were answered."""
    statuses: Counter[int] = Counter()
    over = threading.Event()
    began = time.monotonic()

    def send(first: int, step: int) -> None:
        number = first
        while not over.wait(max(0.0, began + number / rate - time.monotonic())):
            try:
                statuses[get(port, path)[0]] += 1
            except OSError:
                statuses[0] += 1
            number += step

    senders = [threading.Thread(target=send, args=(first, 8)) for first in range(8)]
    for sender in senders:
        sender.start()
    try:
        yield statuses
    finally:
        over.set()
        for sender in senders:
            sender.join()


def psql(url: str, statement: str) -> str:
    """Run a statement as a service does; return the output, also of an error."""
    from svcgen.run.local.supervisor.postgres import find_postgres

    command = [str(find_postgres() / "psql"), "-At", url, "-c", statement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()
