"""What the processes of a local fleet are given: an address, variables, capabilities."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from svcgen.errors import SvcgenError
from tests.support.local_fleet import LocalWorkspace, tiny, workspace
from tests.support.repository import NewService

pytestmark = pytest.mark.needs("local")

CAP_DAC_READ_SEARCH = 1 << 2  # linux/capability.h


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def environment(shop: LocalWorkspace, replica: str) -> dict[str, str]:
    return dict(psutil.Process(shop.pids(replica)[0]).environ())


def test_a_child_gets_named_variables_and_those_of_svcgen_yaml(
    shop: LocalWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(shop.root, "orders", database="postgres", calls=["catalog"])
    tiny(shop.root, "catalog")
    settings = {
        "environment": {
            "*": {"REGION": "eu", "TIER": "all"},
            "orders": {"STRIPE_KEY": None, "NOT_THERE": None, "TIER": "own"},
        }
    }
    (shop.root / "svcgen.yaml").write_text(yaml.safe_dump(settings))
    file = "FROM_FILE='a b'\nTIER=file\nLOG_LEVEL=warn\nDRAIN_SECONDS=0\nSTRIPE_KEY=file\n"
    (shop.root / "orders" / ".env").write_text(file)
    (shop.root / ".env").write_text("OF_THE_ROOT=1\n")
    monkeypatch.setenv("CLOUD_SECRET", "of another program")
    monkeypatch.setenv("STRIPE_KEY", "wanted")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    monkeypatch.setenv("GOPROXY", "https://proxy.example")
    shop.up()
    for replica in ("orders", "catalog", "gateway", "database"):
        assert "CLOUD_SECRET" not in environment(shop, replica), replica
        assert environment(shop, replica)["PATH"]
    orders, catalog = environment(shop, "orders"), environment(shop, "catalog")
    assert {key: orders.get(key) for key in ("STRIPE_KEY", "NOT_THERE", "REGION", "TIER")} == {
        "STRIPE_KEY": "wanted",
        "NOT_THERE": None,
        "REGION": "eu",
        "TIER": "own",
    }
    assert (catalog["TIER"], catalog.get("STRIPE_KEY")) == ("all", None)
    assert (orders["FROM_FILE"], orders["DRAIN_SECONDS"]) == ("a b", "0")
    assert "OF_THE_ROOT" not in orders
    assert "FROM_FILE" not in catalog
    assert (orders["LOG_LEVEL"], orders["GOPROXY"]) == ("debug", "https://proxy.example")
    assert orders["HOST"] == "127.0.0.1"
    assert orders["CATALOG_URL"].startswith("http://127.0.0.1:")
    assert "STRIPE_KEY" not in environment(shop, "gateway")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"order": {}}, "environment.order: there is no such service"),
        ({"orders": {"PORT": "1"}}, "PORT: the engine sets it"),
        ({"orders": {"RATE": 3}}, "environment.orders.RATE must be text"),
        ({"orders": {"A B": "x"}}, "environment.orders.A B"),
    ],
)
def test_a_wrong_variable_is_named(shop: LocalWorkspace, settings: object, problem: str) -> None:
    tiny(shop.root, "orders")
    (shop.root / "svcgen.yaml").write_text(yaml.safe_dump({"environment": settings}))
    with pytest.raises(SvcgenError, match=problem):
        shop.up()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")
def test_the_database_can_read_folders_of_root_and_no_more(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders", database="postgres")
    shop.up()
    status = Path(f"/proc/{shop.pids('database')[0]}/status").read_text()
    found = dict(line.split(":\t", 1) for line in status.splitlines())
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(found[kind], 16) == CAP_DAC_READ_SEARCH, kind
    assert found["NoNewPrivs"] == "1"


def test_no_process_listens_for_another_machine(
    shop: LocalWorkspace, new_service: NewService
) -> None:
    new_service("orders", shop.root, database="postgres")
    shop.up()
    addresses = {
        connection.laddr.ip
        for process in shop.left()
        for connection in psutil.Process(process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and connection.type == socket.SOCK_STREAM
    }
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert shop.get("/v1/orders")[0] == 200
