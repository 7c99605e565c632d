"""External services with routes, out of svcgen.yaml: faults, and the files of both engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from svcgen.compose.write import checked_fleet
from svcgen.gateway.envoy.files import LocalPlacement, edge_files
from svcgen.settings import read_settings
from svcgen.strict import StrictError
from svcgen.workspace import open_workspace
from tests.support.certificates import authority
from tests.support.run import svcgen
from tests.support.workspaces import faults, inspect, make, registration, route, stitch


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    make(tmp_path, "orders")
    return tmp_path


def settings(root: Path, text: str) -> None:
    (root / "svcgen.yaml").write_text(f"external:\n  {text}\n")


def site(url: str, route: str = "{path: /, auth: none}", more: str = "") -> str:
    return f"site: {{url: {url}, routes: {{all: {route}}}{more}}}"


def clusters(text: str) -> dict[str, Any]:
    return {each["name"]: each for each in json.loads(text)["resources"]}


def address(cluster: Any) -> tuple[str, int]:
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    found = endpoint["address"]["socket_address"]
    return found["address"], found["port_value"]


FAULTS = {
    site("http://a.example", "{path: /}"): "external.site.routes.all.auth is mandatory: write",
    site("http://a.example", "{path: /, auth: none, timout: 1s}"): (
        'external.site.routes.all.timout is not a known key. Did you mean "timeout"?'
    ),
    site("http://a.example", "{path: /docs, auth: none}"): (
        'external.site.routes.all: the path "/docs" and all below it are the gateway\'s own.'
    ),
    site("http://a.example", "{path: /v1/orders/x, auth: none}"): (
        "external.site.routes.all: /v1/orders/x is below /v1/orders of orders. Use another path,"
        " or allow it in svcgen.yaml: gateway: {claims: {site: [/v1/orders/x]}}"
    ),
    site("http://a.example", "{path: /v1/orders, methods: [GET], auth: none}"): (
        "and external.site.routes.all both claim GET and HEAD /v1/orders."
    ),
    site("http://a.example", "{path: /, regex: x, auth: none}"): (
        "external.site.routes.all needs exactly one of path and exact"
    ),
    site("http://a.example/app"): (
        "external.site has routes, so `url` cannot have the path /app: the gateway sends the path"
        " of the request. Write url: http://a.example."
    ),
    site("http://localhost:8000"): (
        "external.site.url: http://localhost:8000 is the gateway itself; use another URL."
    ),
    site("http://gateway:8000"): (
        "external.site.url: http://gateway:8000 is the gateway itself; use another URL."
    ),
    site("http://a.example", more=", tls: {verify: false}"): (
        "external.site has `tls`, which only an https URL uses"
    ),
    site("https://a.example", more=", tls: {verify: false, ca: ca.pem}"): (
        "external.site.tls has `ca`, which `verify: false` would ignore"
    ),
    site("https://a.example", more=", tls: {ca: ca.pem}"): "ca.pem cannot be read.",
    site("https://a.example", more=", tls: {ca: orders/compose.yaml}"): (
        "compose.yaml has no certificate in PEM."
    ),
    site("https://a.example", more=", tls: {sni: a_b}"): (
        "external.site.tls.sni must be a host name, but is 'a_b'."
    ),
    site("http://a.example", more=", health: {}"): "external.site.health.http is missing.",
    "site: {url: http://a.example, health: {http: /}}": (
        "external.site has `health`, which only an entry with `routes` uses."
    ),
    "site: {url: http://a.example, routes: {}}": "external.site.routes must not be empty.",
    "gateway: {url: http://a.example, routes: {all: {path: /, auth: none}}}": (
        "external.gateway: the name is used; choose another one"
    ),
    "orders: {url: http://a.example, routes: {all: {path: /, auth: none}}}": (
        "external.orders: it is a service of this workspace; remove the entry."
    ),
}


@pytest.mark.parametrize(("text", "problem"), FAULTS.items())
def test_a_fault_names_its_key(shop: Path, text: str, problem: str) -> None:
    settings(shop, text)
    found = faults(shop)
    assert len(found) == 1, found
    assert "svcgen.yaml" in found[0]
    assert problem in found[0]
    assert [str(fault) for fault in inspect(shop).faults] == found


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "0.0.0.0:80"),
        *("2852039166", "0xa9fea9fe", "169.254.43518", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:1]"),
        *("224.0.0.1", "[ff02::1]", "[::]", "255.255.255.255", "168.63.129.16"),
    ],
)
def test_an_address_that_no_application_has_is_refused(shop: Path, host: str) -> None:
    settings(shop, site(f'"http://{host}"'))
    with pytest.raises(StrictError) as refused:
        read_settings(shop)
    assert f"external.site.url has the host {host.removesuffix(':80')}, " in str(refused.value)


def test_services_below_the_front_end_are_no_fault(shop: Path) -> None:
    make(shop, "catalog")
    settings(shop, site("http://a.example"))
    assert stitch(shop).routes == 3


def test_the_routes_have_it(shop: Path) -> None:
    settings(shop, site("https://a.example:8443"))
    lines = svcgen("routes", within=shop).stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["/v1/orders/…", "/…"]
    assert "site (external)" in lines[-1]
    won = svcgen("routes", "/index.html", within=shop).stdout
    assert "-> site (route all, external, as Host: a.example:8443)" in won
    assert "-> orders" in svcgen("routes", "/v1/orders/1", within=shop).stdout
    listed = json.loads(svcgen("routes", "--json", within=shop).stdout)["routes"]
    assert [(each["service"], each["host"]) for each in listed] == [
        ("orders", ""),
        ("site", "a.example:8443"),
    ]


@pytest.mark.parametrize(
    ("url", "docker", "local", "kind", "hosts"),
    [
        ("http://localhost:5173", "host.docker.internal", "127.0.0.1", "STATIC", True),
        ("http://127.0.0.1:5173", "host.docker.internal", "127.0.0.1", "STATIC", True),
        ('"http://[::1]:5173"', "host.docker.internal", "::1", "STATIC", True),
        ("http://host.docker.internal:5173", "host.docker.internal", "", "STRICT_DNS", True),
        ("http://10.1.2.3:5173", "10.1.2.3", "10.1.2.3", "STATIC", False),
        ("https://a.example:5173", "a.example", "a.example", "STRICT_DNS", False),
    ],
)
def test_one_entry_works_in_both_engines(
    shop: Path, url: str, docker: str, local: str, kind: str, hosts: bool
) -> None:
    settings(shop, site(url))
    stitch(shop)
    gateway = yaml.safe_load((shop / "compose.yaml").read_text())["services"]["gateway"]
    wanted = ["host.docker.internal:host-gateway"] if hosts else None
    assert gateway.get("extra_hosts") == wanted
    found = clusters((shop / "gateway/cds.json").read_text())["site"]
    assert address(found) == (docker, 5173)
    assert found["type"] == ("STATIC" if docker[0].isdigit() else "STRICT_DNS")
    assert "health_checks" not in found
    fleet = checked_fleet(open_workspace(shop))
    placement = LocalPlacement(8000, shop, shop / "admin", ca_file="/cas.pem")
    found = clusters(edge_files(fleet.table, fleet.upstreams, placement)["cds.json"])["site"]
    assert address(found) == (local or docker, 5173)
    assert found["type"] == kind
    assert [each.service for each in fleet.upstreams] == ["orders", "site"]
    assert [each.name for each in fleet.services] == ["orders"]


@pytest.mark.needs("local")
def test_what_envoy_refuses_names_the_entry(shop: Path) -> None:
    lines = ("-----BEGIN CERTIFICATE-----", "AAAA", "-----END CERTIFICATE-----", "")
    (shop / "ca.pem").write_text("\n".join(lines))
    settings(shop, site("https://a.example", more=", tls: {ca: ca.pem}"))
    (found,) = faults(shop)
    assert found.startswith("svcgen.yaml: external.site: Envoy refuses the gateway's configuration")
    assert "Failed to load trusted CA certificates" in found


def test_the_certificates_of_a_ca_are_in_the_file_and_its_key_is_not(shop: Path) -> None:
    made = authority(shop / "ca")
    both = shop / "both.pem"
    both.write_text((made.folder / "ca.key").read_text() + made.file.read_text())
    settings(shop, site("https://a.example", more=", tls: {ca: both.pem}"))
    stitch(shop)
    text = (shop / "gateway/cds.json").read_text()
    assert json.dumps(made.file.read_text()) in text
    assert "PRIVATE" not in text


def test_a_called_service_without_routes_is_no_upstream(shop: Path) -> None:
    make(shop, "web")
    registration(shop / "web", calls=["payments", "site"])
    written = "payments: {url: http://p.example/v1}\n  " + site("http://s.example")
    settings(shop, written)
    stitch(shop)
    assert set(clusters((shop / "gateway/cds.json").read_text())) == {"orders", "site", "web"}
    given = yaml.safe_load((shop / "gateway/calls/web.yaml").read_text())
    assert given["services"]["web"]["environment"] == {
        "PAYMENTS_URL": "${PAYMENTS_URL:-http://p.example/v1}",
        "SITE_URL": "${SITE_URL:-http://s.example}",
    }


def test_it_is_behind_the_gateway_whatever_services_are_chosen(shop: Path) -> None:
    make(shop, "catalog")
    settings(shop, site("http://a.example"))
    fleet = checked_fleet(open_workspace(shop), ["catalog"])
    assert [route.service for route in fleet.table] == ["catalog", "site"]


def test_a_front_end_that_is_open_below_a_protected_path_has_a_reason(shop: Path) -> None:
    route(shop / "orders", auth={"jwt": "dev"}, methods=["GET"])
    settings(shop, site("http://a.example"))
    (found,) = faults(shop)
    assert found.startswith("svcgen.yaml and orders/chart/registration.yaml: external.site.routes.")
    assert "write in external.site.routes.all: weaker: REASON" in found
    settings(shop, site("http://a.example", "{path: /, auth: none, weaker: pages for everyone}"))
    assert stitch(shop).routes == 2
