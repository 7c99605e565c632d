"""What the Docker engine decides without a fleet: which engine, which names, which passwords."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from svcgen.errors import SvcgenError
from svcgen.run.choose import choose_engine
from svcgen.run.docker.containers import Observed
from svcgen.run.docker.gateway import unchunked
from svcgen.run.docker.state import password_variables, project_name, replica_counts
from svcgen.run.memory import remember
from svcgen.service import Service
from svcgen.workspace import state_folder, workspace_id


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("wanted", "name", "why"),
    [
        (None, "local", "no Docker engine answers|docker is not on PATH"),
        ("local", "local", "--engine local"),
    ],
)
def test_without_docker_it_is_local_and_says_why(
    tmp_path: Path, wanted: str | None, name: str, why: str
) -> None:
    choice = choose_engine(tmp_path, wanted)
    assert choice.engine.name == name
    assert any(choice.reason.startswith(reason) for reason in why.split("|"))


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("wanted", "problem"), [("docker", "no Docker|PATH"), ("podman", "docker or")]
)
def test_an_engine_that_is_not_there_is_refused(tmp_path: Path, wanted: str, problem: str) -> None:
    with pytest.raises(SvcgenError, match=problem):
        choose_engine(tmp_path, wanted)


@pytest.mark.parametrize(
    ("folder", "compose", "name"),
    [
        ("shop", "", "shop-ID"),
        ("My Shop (2)", "", "myshop2-ID"),
        ("_shop", "", "shop-ID"),
        ("商店", "", "svcgen-ID"),
        ("shop", "name: other\n", "other"),
        ("shop", "name: [", "shop-ID"),
    ],
)
def test_a_project_is_called_as_compose_calls_it_and_after_its_path(
    tmp_path: Path, folder: str, compose: str, name: str
) -> None:
    root = tmp_path / folder
    root.mkdir()
    if compose:
        (root / "compose.yaml").write_text(compose)
    expected = name.replace("ID", workspace_id(root)[:8])
    assert project_name(root, Observed((), {})) == expected


def test_a_project_keeps_its_name_and_a_copy_gets_its_own(tmp_path: Path) -> None:
    def name(root: Path) -> str:
        return project_name(root, Observed((), {}))

    root = tmp_path / "shop"
    root.mkdir()
    first = name(root)
    remember(root, project=first)
    copy = shutil.copytree(root, tmp_path / "copies" / "shop")
    assert name(copy) == f"shop-{workspace_id(copy)[:8]}"
    moved = root.rename(tmp_path / "moved")
    assert name(moved) == first, "its volumes have this name"


def test_a_fleet_of_an_earlier_svcgen_keeps_its_volumes(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    root.mkdir()
    (state_folder(root) / "passwords.json").write_text("{}")
    assert project_name(root, Observed((), {})) == "shop"


def test_passwords_are_made_once_and_kept_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes = {"shop_old-stock-db"}
    monkeypatch.setattr("svcgen.run.docker.state.docker", lambda *_: "\n".join(volumes))
    names = {"orders": "postgres", "catalog": "none", "old-stock": "postgres"}
    services = tuple(
        Service(name, tmp_path / name, "python", "http", database, (), "", "")
        for name, database in names.items()
    )
    made = password_variables(tmp_path, services, "shop")
    assert sorted(made) == ["OLD_STOCK_DB_PASSWORD", "ORDERS_DB_PASSWORD"]
    assert made["OLD_STOCK_DB_PASSWORD"] == "dev", "its volume is from a start by hand"
    assert len(made["ORDERS_DB_PASSWORD"]) == 32
    assert password_variables(tmp_path, services, "shop") == made
    file = tmp_path / ".svcgen" / "passwords.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    monkeypatch.setenv("ORDERS_DB_PASSWORD", "mine")
    assert password_variables(tmp_path, services, "shop")["ORDERS_DB_PASSWORD"] == "mine"
    file.write_text("{")
    with pytest.raises(SvcgenError, match=r"passwords\.json cannot be read"):
        password_variables(tmp_path, services, "shop")


def test_numbers_of_replicas_are_remembered(tmp_path: Path) -> None:
    state_folder(tmp_path)
    assert replica_counts(tmp_path, ["orders", "catalog"], {"orders": 3}) == {
        "orders": 3,
        "catalog": 1,
    }
    assert replica_counts(tmp_path, ["orders"], {}) == {"orders": 3}
    (tmp_path / ".svcgen" / "docker.json").write_text("[]")
    assert replica_counts(tmp_path, ["orders"], {}) == {"orders": 1}


@pytest.mark.parametrize("body", ['{"a": 1}', '5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n'])
def test_the_gateways_admin_may_answer_in_chunks(body: str) -> None:
    assert unchunked(body) == '{"a": 1}'
