"""How often one command asks the supervisor."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from svcgen.commands.down import down
from svcgen.commands.ps import ps
from svcgen.commands.restart import restart
from svcgen.commands.up import up
from svcgen.run.local.paths import Paths
from svcgen.workspace import Workspace, open_workspace
from tests.support.local_fleet import LocalWorkspace, tiny, workspace

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


@contextmanager
def requests_to_supervisor(root: Path) -> Iterator[list[bytes]]:
    """Yield the requests that reach the supervisor, each as its first bytes."""
    path = Paths(root).socket
    moved = path.with_suffix(".moved")
    path.rename(moved)
    requests: list[bytes] = []

    def relay(client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as supervisor:
            supervisor.connect(str(moved))
            while not (data := client.recv(65_536)).endswith(b"\n"):
                supervisor.sendall(data)
            supervisor.sendall(data)
            while reply := supervisor.recv(65_536):
                client.sendall(reply)

    def accept() -> None:
        while True:
            client, _address = listener.accept()
            requests.append(client.recv(30, socket.MSG_PEEK))
            threading.Thread(target=relay, args=(client,), daemon=True).start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=accept, daemon=True).start()
        yield requests


def test_a_command_asks_the_supervisor_at_most_twice(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    tiny(shop.root, "catalog", calls=["orders"])
    shop.up()
    with requests_to_supervisor(shop.root) as requests:
        fleet = open_workspace(shop.root)
        for command in (
            lambda: up(fleet, port=shop.port),
            lambda: up(fleet, ["orders"], scale={"orders": 2}),
            lambda: restart(fleet, "orders"),
            lambda: ps(fleet),
            lambda: down(fleet),
        ):
            command()
            assert len(requests) <= 2, requests
            requests.clear()


def test_up_reads_the_fleet_once(shop: LocalWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from svcgen.compose import fleet, write

    tiny(shop.root, "orders")
    reads: list[Path] = []

    def read_fleet(read: Workspace) -> object:
        reads.append(read.root)
        return fleet.read_fleet(read)

    monkeypatch.setattr(write, "read_fleet", read_fleet)
    result = up(open_workspace(shop.root), engine="local", port=shop.port)
    assert [replica.service for replica in result.replicas] == ["gateway", "orders"]
    assert len(reads) == 1


def test_up_returns_broken_contracts(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    caller = tiny(shop.root, "catalog", calls=["orders"])
    (caller / "clients").mkdir()
    relied_on = {"paths": {"/v1/orders/latest": {"get": {"operationId": "latest"}}}}
    (caller / "clients" / "orders.openapi.json").write_text(json.dumps(relied_on))
    result = up(open_workspace(shop.root), engine="local", port=shop.port)
    assert "GET /v1/orders/latest" in str(result.broken[0])
