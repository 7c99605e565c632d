"""chart/callers.yaml: a called service lets its callers in, and nobody types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.support.repository import NewService
from tests.support.run import svcgen
from tests.support.workspaces import faults, inspect, make, stitch

FILE = "chart/callers.yaml"


def callers(service: Path) -> list[str] | None:
    path = service / FILE
    return yaml.safe_load(path.read_text())["callers"] if path.exists() else None


def shop(root: Path) -> Path:
    for name, calls in {"web": ("catalog", "orders"), "catalog": ("orders",), "orders": ()}.items():
        make(root, name, calls)
    return root


def test_compose_writes_who_calls_a_service(tmp_path: Path) -> None:
    names = [f"{name}/{FILE}" for name in ("catalog", "orders")]
    missing = inspect(shop(tmp_path))
    assert set(names) <= set(missing.differences)
    assert set(names) <= set(stitch(tmp_path).written)
    assert callers(tmp_path / "orders") == ["catalog", "web"]
    assert callers(tmp_path / "catalog") == ["web"]
    assert callers(tmp_path / "web") is None, "nobody calls it"
    assert (stitch(tmp_path).written, inspect(tmp_path).differences) == ((), {})


def test_a_caller_that_stops_calling_goes(tmp_path: Path) -> None:
    stitch(shop(tmp_path))
    make(tmp_path, "web", (), folder="again")
    (tmp_path / "again/chart/registration.yaml").replace(tmp_path / "web/chart/registration.yaml")
    (tmp_path / "again/compose.yaml").replace(tmp_path / "web/compose.yaml")
    (tmp_path / "again/.copier-answers.yml").unlink()
    assert [*inspect(tmp_path).differences] == [f"catalog/{FILE}", f"orders/{FILE}"]
    stitch(tmp_path)
    assert (callers(tmp_path / "catalog"), callers(tmp_path / "orders")) == ([], ["catalog"])


def test_a_caller_of_another_checkout_stays(tmp_path: Path) -> None:
    path = shop(tmp_path) / "orders" / FILE
    path.write_text("# ours\ncallers: [elsewhere]\n")
    stitch(tmp_path)
    assert callers(tmp_path / "orders") == ["catalog", "elsewhere", "web"]


def test_a_file_that_names_them_all_is_not_written_again(tmp_path: Path) -> None:
    text = "# ours\r\ncallers: [web, catalog]\r\n"
    path = shop(tmp_path) / "orders" / FILE
    path.write_text(text, newline="")
    assert f"orders/{FILE}" not in stitch(tmp_path).written
    assert path.read_bytes() == text.encode()


def test_a_part_of_the_workspace_keeps_all_callers(tmp_path: Path) -> None:
    stitch(shop(tmp_path))
    assert f"orders/{FILE}" not in stitch(tmp_path, "catalog").written
    assert callers(tmp_path / "orders") == ["catalog", "web"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "- catalog", "callers:", "callers: catalog", "callers: [7]", "callers: [Catalog]"),
        *("callers: [catalog]\nmore: 1", "callers: [", "callers: ['x, y: z']"),
    ],
)
def test_another_text_is_refused(tmp_path: Path, text: str) -> None:
    (shop(tmp_path) / "orders" / FILE).write_text(text)
    (fault,) = faults(tmp_path)
    assert fault.startswith(f"orders/{FILE}: ")
    said = svcgen("new", "more", "--calls", "orders", "--yes", within=tmp_path)
    assert (said.returncode, (tmp_path / "more").exists()) == (1, False)
    assert f"orders/{FILE}" in said.stderr


def test_new_names_itself_to_those_that_it_calls(tmp_path: Path, new_service: NewService) -> None:
    (tmp_path / "svcgen.yaml").touch()
    new_service("catalog", calls=["orders"])  # before orders exists
    svcgen("new", "orders", "--yes", within=tmp_path)
    assert callers(tmp_path / "orders") == ["catalog"]
    said = svcgen("new", "web", "--calls", "orders", "--calls", "later", "--json", within=tmp_path)
    assert json.loads(said.stdout)["changed"] == [str(tmp_path / "orders" / FILE)]
    assert callers(tmp_path / "orders") == ["catalog", "web"]
    said = svcgen("new", "mobile", "--calls", "catalog", "--yes", within=tmp_path)
    assert f"{tmp_path / 'catalog' / FILE} names mobile as a caller.\n" in said.stdout
