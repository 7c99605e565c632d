"""Called services outside the workspace: external ones, and those that are not checked out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from svcgen.errors import SvcgenError
from svcgen.settings import read_settings
from tests.support.repository import NewService
from tests.support.run import svcgen
from tests.support.templates import in_git
from tests.support.workspaces import faults, inspect, make, registration, stitch

ADDRESSES = "gateway/calls/orders.yaml"
REGISTRATION = "orders/chart/registration.yaml"
ABSENT = (
    f'{REGISTRATION}: "catalog" is not in this workspace, so calls to it get 503. Create it or'
    " check it out, or add to svcgen.yaml: external: {catalog: {url: URL}}"
)
PAYMENTS = "https://payments.example.com/v1"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a workspace whose orders call a service elsewhere and one that is not checked out."""
    make(tmp_path, "orders", calls=("catalog", "payments", "web"))
    make(tmp_path, "web")
    copy(tmp_path, "catalog")
    (tmp_path / "svcgen.yaml").write_text(f"external: {{payments: {{url: {PAYMENTS}}}}}\n")
    return tmp_path


def copy(root: Path, callee: str, caller: str = "orders") -> None:
    path = root / caller / f"clients/{callee}.openapi.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document("/v1/items")))


def document(*paths: str) -> dict[str, Any]:
    return {"openapi": "3.1.0", "paths": {path: {"get": {"responses": {}}} for path in paths}}


def environment(root: Path) -> dict[str, str]:
    read = yaml.safe_load((root / ADDRESSES).read_text())
    found: dict[str, str] = read["services"]["orders"]["environment"]
    return found


def test_compose_gives_the_addresses_of_callees_outside(shop: Path) -> None:
    composed = stitch(shop)
    assert [str(note) for note in composed.absent] == [ABSENT]
    assert environment(shop) == {
        "CATALOG_URL": "${CATALOG_URL:-http://gateway:8001}",
        "PAYMENTS_URL": f"${{PAYMENTS_URL:-{PAYMENTS}}}",
    }
    included = yaml.safe_load((shop / "compose.yaml").read_text())["include"]
    assert included == [{"path": ["orders/compose.yaml", ADDRESSES]}, "web/compose.yaml"]
    clusters = json.loads((shop / "gateway/cds.json").read_text())["resources"]
    assert [cluster["name"] for cluster in clusters] == ["orders", "web"]
    listeners = json.loads((shop / "gateway/lds.json").read_text())["resources"]
    assert [listener["name"] for listener in listeners] == ["edge", "absent"]


@pytest.mark.needs("docker")
def test_compose_itself_reads_the_addresses(shop: Path) -> None:
    stitch(shop)
    words = ("docker", "compose", "config", "--format", "json")
    read = json.loads(subprocess.check_output(words, cwd=shop, text=True))
    variables = read["services"]["orders"]["environment"]
    assert {key: url for key, url in variables.items() if key.endswith("_URL")} == {
        "CATALOG_URL": "http://gateway:8001",
        "PAYMENTS_URL": PAYMENTS,
        "WEB_URL": "http://web:8080",
    }


def test_what_is_no_longer_needed_goes(shop: Path) -> None:
    stitch(shop)
    make(shop, "catalog")
    (shop / "catalog/openapi.json").write_text(json.dumps(document("/v1/catalog", "/v1/items")))
    registration(shop / "orders", calls=["catalog", "web"])
    orders = yaml.safe_load((shop / "orders/compose.yaml").read_text())
    del orders["services"]["orders"]["environment"]["PAYMENTS_URL"]
    (shop / "orders/compose.yaml").write_text(yaml.safe_dump(orders))
    registration(shop / "catalog", routes={})
    assert "compose.yaml: changes service orders/compose.yaml" in inspect(shop).changes
    assert stitch(shop).absent == ()
    assert not (shop / ADDRESSES).exists()
    assert "absent" not in (shop / "gateway/lds.json").read_text()


def test_a_check_notes_a_missing_checkout(shop: Path) -> None:
    composed = svcgen("compose", within=shop)
    assert (composed.returncode, composed.stderr) == (0, f"{ABSENT}\n")
    checked = svcgen("compose", "--check", within=shop)
    assert (checked.returncode, checked.stderr) == (0, f"{ABSENT}\n")
    assert svcgen("routes", within=shop).returncode == 0
    (shop / "svcgen.yaml").write_text(
        f"external: {{payments: {{url: {PAYMENTS}}}, catalog: {{url: http://catalog.test}}}}\n"
    )
    svcgen("compose", within=shop)
    checked = svcgen("compose", "--check", within=shop)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_without_a_copy_of_each_caller_a_name_is_refused(shop: Path) -> None:
    make(shop, "stock", calls=("catalog",))
    assert [fault.partition(": ")[0] for fault in faults(shop)] == [
        REGISTRATION,
        "stock/chart/registration.yaml",
    ]


def test_list_shows_what_is_elsewhere(shop: Path) -> None:
    listed = json.loads(svcgen("list", "--json", within=shop).stdout)
    assert listed["external"] == [{"name": "payments", "url": PAYMENTS}]
    assert svcgen("list", within=shop).stdout.endswith(f"payments  {PAYMENTS}\n")
    graph = json.loads(svcgen("list", "--graph", "--json", within=shop).stdout)
    assert (graph["external"], graph["absent"]) == (["payments"], ["catalog"])
    drawn = svcgen("list", "--graph", within=shop).stdout
    assert '    catalog["catalog, not in this workspace"]\n' in drawn


@pytest.mark.parametrize(
    ("offered", "broken"),
    [
        (["/v1/items", "/v1/more"], []),
        (["/v1/more"], ["GET /v1/items: was removed; no service has it."]),
    ],
)
def test_a_document_in_svcgen_yaml_is_compared(
    shop: Path, offered: list[str], broken: list[str]
) -> None:
    copy(shop, "payments")
    assert inspect(shop).broken == ()
    settings = {"external": {"payments": {"url": PAYMENTS, "document": "payments.json"}}}
    (shop / "svcgen.yaml").write_text(yaml.safe_dump(settings))
    (shop / "payments.json").write_text(json.dumps(document(*offered)))
    files = "orders/clients/payments.openapi.json and payments.json: "
    assert [str(fault).removeprefix(files) for fault in inspect(shop).broken] == broken
    stitch(shop, refresh=True)
    kept = (shop / "orders/clients/payments.openapi.json").read_text()
    assert kept == (shop / "payments.json").read_text()


def test_a_document_that_does_not_exist_is_a_fault(shop: Path) -> None:
    settings = {"external": {"payments": {"url": PAYMENTS, "document": "payments.json"}}}
    (shop / "svcgen.yaml").write_text(yaml.safe_dump(settings))
    found = inspect(shop)
    file = f"external.payments.document: {shop}/payments.json is not a file."
    assert [str(fault) for fault in found.faults] == [f"svcgen.yaml: {file}"]


GOOD = [
    *("http://x", "https://pay.example.com", "http://10.0.0.1:9000/", "http://[::1]:80/a"),
    "https://pay.example.com/a/b-c_d~e%20f",
]
BAD = [
    *("", "pay.example.com", "//pay.example.com", "ftp://x", "http://", "http:///a", "http://x y"),
    *("http://me@x", "http://me:word@x", "http://x?q=1", "http://x/a#b", "http://x:0", "http://x:"),
    *("http://x:65536", "http://x/${HOME}", "http://x/$a", "http://-x", "http://x/\n", "HTTP://x"),
]


@pytest.mark.parametrize("url", GOOD)
def test_an_url_is_accepted(tmp_path: Path, url: str) -> None:
    (tmp_path / "svcgen.yaml").write_text(yaml.safe_dump({"external": {"payments": {"url": url}}}))
    assert read_settings(tmp_path).external["payments"].url == url


@pytest.mark.parametrize(
    ("external", "problem"),
    [
        *(({"payments": {"url": url}}, "external.payments.url must be an http") for url in BAD),
        ({"payments": {}}, "external.payments.url is missing."),
        ({"payments": "http://x"}, "external.payments must be a map"),
        ({"payments": {"url": 7}}, "external.payments.url must be text"),
        ({"payments": {"url": "http://x", "spec": "y"}}, "external.payments.spec is not a known"),
        ({"Payments": {"url": "http://x"}}, "external.Payments"),
        ({"database": {"url": "http://x"}}, "DATABASE_URL: the engine sets it"),
    ],
)
def test_another_entry_is_refused(tmp_path: Path, external: object, problem: str) -> None:
    (tmp_path / "svcgen.yaml").write_text(yaml.safe_dump({"external": external}))
    with pytest.raises(SvcgenError) as refused:
        read_settings(tmp_path)
    assert problem in refused.value.problem


def test_a_new_service_calls_what_is_elsewhere(tmp_path: Path, new_service: NewService) -> None:
    stock = new_service("stock", tmp_path / "elsewhere")
    (tmp_path / "stock.json").write_text((stock / "openapi.json").read_text())
    shutil.rmtree(tmp_path / "elsewhere")
    (tmp_path / "other.json").write_text(json.dumps(document("/v1/other")))
    external = {
        "stock": {"url": "http://stock.test", "document": "stock.json"},
        "other": {"url": "http://other.test", "document": "other.json"},
        "none": {"url": "http://none.test"},
    }
    (tmp_path / "svcgen.yaml").write_text(yaml.safe_dump({"external": external}))
    refusals = {
        "none": "external: {none: {url: URL, document: none.openapi.json}}",
        "other": "Add other to `calls` in chart/registration.yaml of the service instead",
    }
    for callee, advice in refusals.items():
        said = svcgen("new", "web", "--calls", callee, within=tmp_path)
        assert (said.returncode, advice in said.stderr) == (1, True), said.stderr
        assert not (tmp_path / "web").exists()
    said = svcgen("new", "web", "--calls", "stock", "--calls", "stok", within=tmp_path)
    assert said.returncode == 0, said.stderr
    assert said.stderr == (
        '"stok" is not in this workspace. Did you mean "stock"? Create it or check it out,'
        " or add to svcgen.yaml: external: {stok: {url: URL}}\n"
    )
    assert [str(fault) for fault in inspect(tmp_path).broken] == []
    in_git(tmp_path / "web")
    for callee, advice in refusals.items():
        said = svcgen("reconfigure", "web", "--calls", callee, within=tmp_path)
        assert (said.returncode, advice in said.stderr) == (1, True), said.stderr
