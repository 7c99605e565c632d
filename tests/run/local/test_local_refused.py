"""What `svcgen up` refuses before it changes a fleet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.commands.up import up
from svcgen.errors import SvcgenError
from svcgen.run.local.paths import Paths
from svcgen.workspace import open_workspace
from tests.support.local_fleet import LocalWorkspace, tiny, workspace

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def test_a_running_gateway_keeps_its_files_when_envoy_refuses_the_new_ones(
    shop: LocalWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(shop.root, "orders")
    shop.up()
    folder = Paths(shop.root).gateway
    before = {path.name: path.read_text() for path in folder.glob("*.json")}
    refuse_everything(shop.root, monkeypatch)
    tiny(shop.root, "catalog")
    with pytest.raises(SvcgenError, match=r"catalog/chart/registration.yaml.*Clusters\[0\]"):
        up(open_workspace(shop.root), engine="local")
    assert {path.name: path.read_text() for path in folder.glob("*.json")} == before


def test_envoy_is_not_asked_when_nothing_changes(
    shop: LocalWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(shop.root, "orders")
    shop.up()
    refuse_everything(shop.root, monkeypatch)
    up(open_workspace(shop.root), engine="local")
    assert shop.get("/v1/orders")[0] == 200


def refuse_everything(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name an Envoy that finds every configuration wrong."""
    refusing = folder / "refusing"
    refusing.write_text("#!/bin/sh\necho 'Clusters[0]: refused' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("SVCGEN_ENVOY", str(refusing))


@pytest.mark.parametrize(
    ("count", "advice"), [(0, "At least one: --scale orders=1"), (100_000, "At most 50")]
)
def test_a_number_of_replicas_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, advice: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    tiny(tmp_path, "orders")
    with pytest.raises(SvcgenError, match=f"orders cannot have {count} replicas") as refusal:
        up(open_workspace(tmp_path), scale={"orders": count})
    assert refusal.value.advice.startswith(advice)
