"""A folder without services: down and logs report it, and write nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from svcgen.commands.down import down
from svcgen.commands.logs import logs
from svcgen.commands.up import up
from svcgen.errors import SvcgenError
from svcgen.workspace import open_workspace
from tests.support.local_fleet import LocalWorkspace, tiny


@pytest.mark.parametrize("command", [down, logs, up])
def test_a_folder_without_services_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: object
) -> None:
    assert callable(command)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(SvcgenError) as error:
        command(open_workspace(tmp_path))
    assert error.value.problem == f"No services below {tmp_path}."
    assert error.value.advice == "Create one: svcgen new orders"
    assert not list(tmp_path.iterdir())


@pytest.mark.needs("local")
def test_down_stops_a_fleet_whose_services_were_deleted(tmp_path: Path) -> None:
    shop = LocalWorkspace(tmp_path)
    folder = tiny(shop.root, "orders")
    try:
        shop.up()
        shutil.rmtree(folder)
        stopped = down(open_workspace(shop.root))
        assert [replica.service for replica in stopped.ended] == ["gateway", "orders"]
        assert not shop.left()
    finally:
        shop.down()
