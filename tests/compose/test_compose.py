"""Stitching: what fits is written, the same bytes each time, and never over someone's edit."""

from __future__ import annotations

import json
import os
import random
import shutil
import stat
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import yaml

from svcgen.commands.routes import explain_route, list_routes
from svcgen.errors import SvcgenError
from svcgen.workspace import open_workspace
from tests.support.run import svcgen
from tests.support.workspaces import inspect, make, registration, route, stack, stitch


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    make(tmp_path, "orders", calls=("catalog",))
    make(tmp_path, "catalog")
    return tmp_path


def test_what_fits_is_written(shop: Path) -> None:
    done = stitch(shop)
    assert done.services == ("catalog", "orders")
    assert "compose.yaml" in done.written
    written = yaml.safe_load((shop / "compose.yaml").read_text())
    assert written["include"] == ["catalog/compose.yaml", "orders/compose.yaml"]
    assert written["services"]["gateway"]["ports"] == ["127.0.0.1:${GATEWAY_PORT:-8000}:8000"]
    assert [route.full_name for route in list_routes(open_workspace(shop)).routes] == [
        "catalog-catalog",
        "orders-orders",
    ]


def test_a_path_is_explained(shop: Path) -> None:
    found = explain_route(open_workspace(shop), "/v1/orders/1", "get")
    assert found.route is not None
    assert (found.route.service, found.route.timeout_ms) == ("orders", 10_000)


def test_an_internal_route_is_in_the_table_but_not_at_the_gateway(shop: Path) -> None:
    routes = {
        "orders": {"path": "/v1/orders", "auth": "none"},
        "admin": {"path": "/v1/orders/admin", "auth": "none", "expose": "internal"},
    }
    registration(shop / "orders", routes=routes)
    assert stitch(shop).routes == 2
    workspace = open_workspace(shop)
    listed = {each.full_name: each.internal for each in list_routes(workspace).routes}
    assert listed == {"orders-admin": True, "orders-orders": False, "catalog-catalog": False}
    found = explain_route(workspace, "/v1/orders/%61dmin/x")
    assert (found.status, found.reason) == (
        404,
        "orders-admin is internal: only other services can call it",
    )


def test_writing_again_changes_nothing(shop: Path) -> None:
    stitch(shop)
    assert stitch(shop).written == ()


def test_the_gateways_user_can_read_the_files_whatever_the_umask(shop: Path) -> None:
    before = os.umask(0o077)
    try:
        stitch(shop)
    finally:
        os.umask(before)
    assert stat.S_IMODE((shop / "gateway").stat().st_mode) == 0o755
    found = list((shop / "gateway").rglob("*"))
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in found}
    assert modes == {True: 0o755, False: 0o644}


def test_adding_a_service_adds_one_line(shop: Path) -> None:
    stitch(shop)
    before = (shop / "compose.yaml").read_text().splitlines()
    make(shop, "payments")
    assert "gateway/cds.json" in stitch(shop).written
    after = (shop / "compose.yaml").read_text().splitlines()
    assert [line for line in after if line not in before] == ["  - payments/compose.yaml"]
    assert len(after) == len(before) + 1


def test_the_order_on_disk_means_nothing(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d", "e"]
    texts = set()
    for turn in range(3):
        root = tmp_path / str(turn)
        random.Random(turn).shuffle(names)
        for name in names:
            make(root, name)
        stitch(root)
        files = [*sorted(root.glob("gateway/**/*.*")), root / "compose.yaml"]
        texts.add("".join(path.read_text() for path in files))
    assert len(texts) == 1


@pytest.mark.parametrize(
    "command", [stitch, inspect, lambda root: list_routes(open_workspace(root))]
)
def test_a_folder_without_services_is_refused(
    tmp_path: Path, command: Callable[[Path], object]
) -> None:
    (tmp_path / "svcgen.yaml").touch()
    with pytest.raises(SvcgenError, match=f"No services below {tmp_path}") as refusal:
        command(tmp_path)
    assert refusal.value.advice == "Create one: svcgen new orders"
    assert list(tmp_path.iterdir()) == [tmp_path / "svcgen.yaml"]


def test_only_pulls_in_what_is_called(shop: Path) -> None:
    make(shop, "payments")
    assert stitch(shop, "orders").services == ("catalog", "orders")
    assert stitch(shop, "orders", deps=False).services == ("orders",)
    with pytest.raises(SvcgenError, match='no service "ordrs"') as refusal:
        stitch(shop, "ordrs")
    assert refusal.value.advice == 'Did you mean "orders"?'


def test_check_shows_the_difference_and_writes_nothing(shop: Path) -> None:
    assert "compose.yaml" in inspect(shop).written
    assert not (shop / "compose.yaml").exists()
    stitch(shop)
    assert inspect(shop).written == ()
    make(shop, "payments")
    assert "+  - payments/compose.yaml" in inspect(shop).differences["compose.yaml"]


def test_check_says_in_words_what_differs(shop: Path) -> None:
    assert "compose.yaml: does not exist yet" in inspect(shop).changes
    stitch(shop)
    assert inspect(shop).changes == ()
    make(shop, "payments")
    shutil.rmtree(shop / "catalog")
    registration(shop / "orders", calls=[])
    (shop / "orders/compose.yaml").write_text(yaml.safe_dump(stack("orders", ())))
    route(shop / "orders", timeout="4s", rate_limit=[{"requests": 9, "per": "1m"}])
    (shop / "svcgen.yaml").write_text("gateway: {port: 8001, max_body: 2MiB}\n")
    with (shop / "gateway/entrypoint.sh").open("a") as script:
        script.write("# mine\n")
    assert sorted(inspect(shop).changes) == [
        "compose.yaml: adds service payments/compose.yaml",
        "compose.yaml: changes the gateway's definition",
        "compose.yaml: removes service catalog/compose.yaml",
        "gateway/cds.json: adds cluster payments",
        "gateway/cds.json: removes cluster catalog",
        "gateway/entrypoint.sh: differs",
        "gateway/limits.json: adds limit orders/orders/client_ip 1",
        "gateway/rds.json: adds route method-not-allowed /v1/payments",
        "gateway/rds.json: adds route payments-payments",
        "gateway/rds.json: changes route orders-orders",
        "gateway/rds.json: removes route catalog-catalog",
        "gateway/rds.json: removes route method-not-allowed /v1/catalog",
    ]


def test_a_changed_timeout_is_a_changed_line(shop: Path) -> None:
    stitch(shop)
    route(shop / "orders", methods=["GET"], timeout="4s")
    diff = inspect(shop).differences
    assert list(diff) == ["gateway/rds.json"]
    lines = [line for line in diff["gateway/rds.json"].splitlines()[2:] if line[0] in "+-"]
    assert all(len(line) < 600 for line in lines)
    assert sum('"timeout": "4s"' in line for line in lines) == 1


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (
            {"/v1/orders/{id}": {"delete": {}}},
            "DELETE /v1/orders/{id} is 405 at the gateway."
            " Add routes.orders: methods: [GET, POST, DELETE]; or allow it in svcgen.yaml:"
            ' gateway: {unrouted: {orders: ["DELETE /v1/orders/{id}"]}}',
        ),
        (
            {"/v1/reports/{id}": {"get": {}}},
            "GET /v1/reports/{id} is 404 at the gateway."
            " Add routes: NAME: {path: /v1/reports, auth: none}; or allow it in svcgen.yaml:"
            ' gateway: {unrouted: {orders: ["GET /v1/reports/{id}"]}}',
        ),
    ],
)
def test_an_operation_without_a_route_is_named(
    shop: Path, operation: dict[str, Any], fault: str
) -> None:
    paths: dict[str, Any] = {
        "/v1/{any}": {"get": {}, "post": {}},
        "/docs/x": {"get": {}},
        **operation,
    }
    (shop / "orders/openapi.json").write_text(json.dumps({"paths": paths}))
    files = "orders/chart/registration.yaml and orders/openapi.json"
    assert [str(each) for each in inspect(shop).unrouted] == [f"{files}: {fault}"]
    assert stitch(shop).unrouted == inspect(shop).unrouted  # and it writes
    patterns = 'gateway: {unrouted: {orders: ["DELETE /v1/orders/*", "GET /v1/reports/*"]}}\n'
    (shop / "svcgen.yaml").write_text(patterns)
    assert inspect(shop).unrouted == ()


def test_an_internal_route_leads_to_an_operation(shop: Path) -> None:
    routes = {
        "orders": {"path": "/v1/orders", "auth": "none", "methods": ["GET", "POST"]},
        "purge": {"path": "/v1/orders", "auth": "none", "methods": ["DELETE"]},
    }
    routes["purge"]["expose"] = "internal"
    registration(shop / "orders", routes=routes)
    paths: dict[str, Any] = {"/v1/{any}": {"get": {}, "post": {}, "delete": {}}}
    (shop / "orders/openapi.json").write_text(json.dumps({"paths": paths}))
    assert stitch(shop).unrouted == ()


@pytest.mark.parametrize("name", ["compose.yaml", "gateway/rds.json", "gateway/entrypoint.sh"])
def test_a_file_edited_by_hand_is_never_overwritten(shop: Path, name: str) -> None:
    stitch(shop)
    edited = (shop / name).read_text() + "\n# mine\n"
    (shop / name).write_text(edited)
    make(shop, "payments")
    with pytest.raises(SvcgenError, match=name) as refusal:
        stitch(shop)
    assert "svcgen compose --check --diff" in refusal.value.advice
    assert (shop / name).read_text() == edited
    assert "-# mine" in inspect(shop).differences[name]
    (shop / name).unlink()
    assert name in stitch(shop).written


def test_a_compose_file_of_someone_else_stays(shop: Path) -> None:
    (shop / "compose.yaml").write_text("services: {}\n")
    with pytest.raises(SvcgenError, match=r"compose\.yaml"):
        stitch(shop)


@pytest.mark.parametrize("steps", range(9))
def test_a_killed_run_is_finished_by_the_next(
    shop: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop after some writes, change the services, and go on: nothing is taken for an edit."""
    stitch(shop)
    make(shop, "payments")
    shutil.rmtree(shop / "catalog")
    registration(shop / "orders", calls=[])
    (shop / "orders/compose.yaml").write_text(yaml.safe_dump(stack("orders", ())))
    left = [steps]

    def killed(self: Path, target: Path) -> Path:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        os.replace(self, target)  # noqa: PTH105 (Path.replace is what this stands for)
        return target

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with suppress(KeyboardInterrupt):
            stitch(shop)
    make(shop, "reviews")
    assert stitch(shop).services == ("orders", "payments", "reviews")
    manifest = json.loads((shop / "gateway/manifest.json").read_text())
    assert list(manifest) == ["files"]


def test_methods_of_one_path_may_be_shared_out(shop: Path) -> None:
    route(shop / "orders", path="/v1/catalog", methods=["PUT"])
    paths: dict[str, Any] = {"paths": {"/v1/{anything}/{id}": {"put": {}}}}
    (shop / "orders/openapi.json").write_text(json.dumps(paths))
    assert stitch(shop).routes == 2


def test_the_settings_reach_the_gateway(shop: Path) -> None:
    (shop / "svcgen.yaml").write_text(
        "name: shop\ngateway: {port: 8800, max_body: 2MiB, timeout: 3s}\n"
        "services: {orders: {routes: {orders: {timeout: 4s}}}}\n"
    )
    stitch(shop)
    written = yaml.safe_load((shop / "compose.yaml").read_text())
    assert written["name"] == "shop"
    assert written["services"]["gateway"]["ports"] == ["127.0.0.1:${GATEWAY_PORT:-8800}:8000"]
    assert "2097152" in (shop / "gateway/rds.json").read_text()
    listed = list_routes(open_workspace(shop)).routes
    timeouts = {route.service: route.timeout_ms for route in listed}
    assert timeouts == {"catalog": 3000, "orders": 4000}


@pytest.mark.needs("docker")
def test_compose_accepts_what_is_written(shop: Path) -> None:
    make(shop, "odd", folder='odd $names/it\'s "one"')
    stitch(shop)
    done = subprocess.run(
        ["docker", "compose", "config", "-q"], cwd=shop, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_services_of_this_template_fit_together(
    tmp_path: Path, new_service: Callable[..., Path]
) -> None:
    new_service("orders", calls=["order-items"], database="postgres")
    new_service("order-items", calls=["orders"])  # a cycle is no fault
    fitted = stitch(tmp_path)
    assert (fitted.services, fitted.unrouted) == (("order-items", "orders"), ())
    assert explain_route(open_workspace(tmp_path), "/v1/order-items/1").route
    if shutil.which("docker"):
        done = subprocess.run(
            ["docker", "compose", "config", "-q"], cwd=tmp_path, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_stitching_grows_with_the_number_of_services(tmp_path: Path) -> None:
    """Twenty times the services may take thirty times as long, not four hundred."""

    def seconds(size: int) -> float:
        for number in range(size):
            make(tmp_path / str(size), f"svc{number:03}")
        start = perf_counter()
        stitch(tmp_path / str(size))
        return perf_counter() - start

    few = min(seconds(10), seconds(11))
    assert seconds(200) < 30 * few + 0.2


def test_agents_md_is_written_unless_the_owner_has_one(tmp_path: Path) -> None:
    make(tmp_path, "orders")
    agents = tmp_path / "AGENTS.md"
    assert "AGENTS.md" in svcgen("compose", within=tmp_path).stdout
    assert "svcgen compose --check" in agents.read_text()
    agents.write_text(agents.read_text().partition("\n")[2] + "- Our rule.\n")
    done = svcgen("compose", within=tmp_path)
    assert (done.returncode, agents.read_text().endswith("- Our rule.\n")) == (0, True)
    assert svcgen("compose", "--check", within=tmp_path).returncode == 0
