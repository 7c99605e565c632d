"""What does not fit together is all named at once, with the files to correct."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.repository import REPOSITORY
from tests.support.workspaces import edit, faults, make, registration, route, stitch


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    make(tmp_path, "orders", calls=("catalog",))
    make(tmp_path, "catalog")
    return tmp_path


ORDERS = "orders/chart/registration.yaml"
CATALOG = "catalog/chart/registration.yaml"
BOTH = f"{CATALOG} and {ORDERS}"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda root: make(root, "orders", folder="again/orders"),
            'again/orders and orders: both are the service "orders"; rename one.',
        ),
        (
            lambda root: registration(root / "orders", service="order"),
            f'{ORDERS} and orders/.copier-answers.yml: name one service "order" and "orders".',
        ),
        (
            lambda root: route(root / "orders", path="/v1/catalog"),
            f"{BOTH}: routes.catalog and routes.orders both claim GET and HEAD and POST "
            "/v1/catalog.",
        ),
        (
            lambda root: route(root / "orders", path="/v1/catalog", methods=["HEAD"]),
            f"{BOTH}: routes.catalog and routes.orders both claim HEAD /v1/catalog.",
        ),
        (
            lambda root: route(root / "orders", path="/v1/catalog", expose="internal"),
            f"{BOTH}: routes.catalog and routes.orders both claim GET and HEAD and POST "
            "/v1/catalog.",
        ),
        (
            lambda root: route(root / "orders", path="/docs/orders"),
            f'{ORDERS}: routes.orders: the path "/docs" and all below it are the gateway\'s own.',
        ),
        (
            lambda root: route(root / "orders", path="/"),
            f'{ORDERS}: routes.orders: the path "/" is the gateway\'s own.',
        ),
        (
            lambda root: route(root / "orders", methods=["GET", "DELETE"]),
            f"{ORDERS} and orders/openapi.json: routes.orders: no operation for DELETE /v1/orders;"
            " `make generate` writes openapi.json again.",
        ),
        (
            lambda root: (root / "orders/openapi.json").unlink(),
            "orders/openapi.json: is missing; write it with `make generate` in that service.",
        ),
        (
            lambda root: (root / "orders/openapi.json").write_text("{"),
            "orders/openapi.json: is not an OpenAPI document;"
            " write it with `make generate` in that service.",
        ),
        (
            lambda root: registration(root / "orders", calls=["catalog", "nobody"]),
            f'{ORDERS}: calls "nobody", but there is no such service in this workspace.'
            " Create it or check it out, or add to svcgen.yaml: external: {nobody: {url: URL}}",
        ),
        (
            lambda root: registration(root / "orders", calls=["catalog", "catlog"]),
            f'{ORDERS}: calls "catlog", but there is no such service in this workspace.'
            ' Did you mean "catalog"? Create it or check it out, or add to svcgen.yaml:'
            " external: {catlog: {url: URL}}",
        ),
        (
            lambda root: (root / "svcgen.yaml").write_text("external: {catalog: {url: http://x}}"),
            "svcgen.yaml: external.catalog: it is a service of this workspace; remove the entry.",
        ),
        (
            lambda root: registration(root / "orders", calls=[]),
            f"{ORDERS} and orders/compose.yaml: disagree: CATALOG_URL is set,"
            ' but `calls` does not name "catalog".',
        ),
        (
            lambda root: registration(root / "catalog", calls=["orders"]),
            f'{CATALOG} and catalog/compose.yaml: disagree: "orders" is called,'
            " but the environment has no ORDERS_URL: ${ORDERS_URL:-http://orders:8080}",
        ),
        (
            lambda root: registration(root / "catalog", upstream={"port": 9000}),
            f"{ORDERS} and orders/compose.yaml: disagree: CATALOG_URL is http://catalog:8080,"
            " but should be http://catalog:9000",
        ),
        (
            lambda root: route(root / "orders", auth={"jwt": "idp"}),
            f'{ORDERS} and svcgen.yaml: routes.orders.auth: there is no issuer "idp". Add it to'
            " svcgen.yaml: gateway:"
            " {issuers: {idp: {issuer: URL, audiences: [NAME], jwks: FILE}}}",
        ),
        (
            lambda root: route(
                root / "orders", auth={"any": [{"key": "partners"}, {"jwt": "idp"}]}
            ),
            f'{ORDERS} and svcgen.yaml: routes.orders.auth: there is no issuer "idp". Add it to'
            " svcgen.yaml: gateway:"
            " {issuers: {idp: {issuer: URL, audiences: [NAME], jwks: FILE}}}",
        ),
        (
            lambda root: registration(root / "orders", upstream={"protocol": "grpc"}),
            f"{ORDERS}: upstream.protocol: grpc is not supported yet.",
        ),
        (
            lambda root: (root / "svcgen.yaml").write_text("compositions: {}"),
            "svcgen.yaml: compositions is not supported yet.",
        ),
        (
            lambda root: (root / "svcgen.yaml").write_text("services: {ordrs: {}}"),
            'svcgen.yaml: services.ordrs: there is no such service. Did you mean "orders"?',
        ),
        (
            lambda root: edit(
                root / "orders/compose.yaml",
                lambda written: written["services"].update({"catalog-db": {"image": "x"}}),
            ),
            'catalog/compose.yaml and orders/compose.yaml: define service "catalog-db",'
            " which Compose would merge.",
        ),
        (
            lambda root: edit(
                root / "orders/compose.yaml",
                lambda written: written["volumes"].update({"x": {"name": "catalog-db"}}),
            ),
            'catalog/compose.yaml and orders/compose.yaml: define volume "catalog-db",'
            " which Compose would merge.",
        ),
        (
            lambda root: edit(
                root / "orders/compose.yaml",
                lambda written: written["services"]["orders"].update({"networks": []}),
            ),
            'orders/compose.yaml: "orders" must join the network "platform".',
        ),
        (
            lambda root: edit(
                root / "orders/compose.yaml",
                lambda written: written["services"]["orders-db"].update({"ports": ["8000:5432"]}),
            ),
            "compose.yaml and orders/compose.yaml: publish port 8000; the gateway suffices.",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_its_files(
    shop: Path, change: Callable[[Path], object], fault: str
) -> None:
    change(shop)
    assert faults(shop) == [fault]


CASES = REPOSITORY / "tests" / "data" / "registrations"
KEYS = {
    "health-path-newline": "upstream.health.http",
    "health-path-relative": "upstream.health.http",
    "interval-1ms": "upstream.health.interval must be from 100ms to 1m",
    "path-never-matches": "routes.one path '/v1/..;/x'",
    "path-of-another-service": "routes.taken",
    "per-try-longer": "routes.one retry.per_try 5s is longer than the timeout, 1s",
    "timeout-of-ages": "routes.one.timeout must be from 1ms to 24h",
    "weaker-for-other-methods": "routes.one: it takes",
}


@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.iterdir()))
def test_a_registration_that_cannot_work_is_refused(tmp_path: Path, case: str) -> None:
    """The fault names file and key, and nothing is written."""
    for name in ("one", "two"):
        make(tmp_path, name)
    shutil.copy(CASES / f"{case}.yaml", tmp_path / "one/chart/registration.yaml")
    paths: dict[str, object] = {"/v1/{any}": {"get": {}}, "/v1/two/summary": {"get": {}}}
    (tmp_path / "one/openapi.json").write_text(json.dumps({"openapi": "3.1.0", "paths": paths}))
    found = [fault for fault in faults(tmp_path) if KEYS[case] in fault]
    assert len(found) == 1
    assert found[0].startswith("one/chart/registration.yaml")


@pytest.mark.parametrize(
    ("claim", "named"),
    [
        ({"exact": "/v1/catalog/summary"}, True),
        ({"path": "/v1/catalog/summary"}, True),
        ({"path": "/v1/catalog/summary", "expose": "internal"}, True),
        ({"path": "/v1/catalog/summary", "methods": ["GET"]}, True),
        ({"path": "/v1/catalog/summary", "methods": ["HEAD"]}, True),
        ({"path": "/v1/catalog/summary", "methods": ["PUT"]}, False),  # takes nothing from catalog
        ({"path": "/v1/catalogs/summary"}, False),
    ],
    ids=str,
)
def test_a_claim_below_the_prefix_of_another_service_is_named(
    shop: Path, claim: dict[str, object], named: bool
) -> None:
    routes = {"taken": {"auth": "none", **claim}}
    registration(shop / "orders", routes=routes)
    document: dict[str, object] = {
        "paths": {"/v1/{any}/summary": {"get": {}, "put": {}, "head": {}}}
    }
    (shop / "orders/openapi.json").write_text(json.dumps(document))
    if not named:
        stitch(shop)
        return
    assert faults(shop) == [
        f"{ORDERS} and {CATALOG}: routes.taken: /v1/catalog/summary is below /v1/catalog of"
        " catalog. Use another path, or allow it in svcgen.yaml:"
        " gateway: {claims: {orders: [/v1/catalog/summary]}}"
    ]
    allowed = "gateway: {claims: {orders: [/v1/catalog/summary]}}\n"
    (shop / "svcgen.yaml").write_text(allowed)
    stitch(shop)


def test_one_try_cannot_outlast_the_timeout_of_the_workspace(shop: Path) -> None:
    route(shop / "orders", retry={"per_try": "4s"})
    (shop / "svcgen.yaml").write_text("gateway: {timeout: 3s}\n")
    problem = "routes.orders: retry.per_try 4s is longer than the timeout, 3s."
    assert faults(shop) == [f"{ORDERS}: {problem}"]


def test_all_faults_are_named_at_once(shop: Path) -> None:
    route(shop / "orders", path="/v1/catalog", timeout="soon")
    route(shop / "catalog", path="/docs")
    (shop / "catalog/openapi.json").unlink()
    (shop / "svcgen.yaml").write_text("services: {stock: {}}")
    found = faults(shop)
    assert [fault.split(":")[0] for fault in found] == [
        "catalog/openapi.json",
        ORDERS,
        "svcgen.yaml",
        CATALOG,
    ]


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("8080:80", "8080:81", True),
        ("127.0.0.1:8080:80", "8080", False),
        ("127.0.0.1:8080:80", "127.0.0.2:8080:80", False),
        ("127.0.0.1:8080:80", "0.0.0.0:8080:80", True),
        ("8080:80/udp", "8080:80", False),
        ("${PORT:-8080}:80", "8079-8081:79-81", True),
        ({"published": 8080, "target": 80}, "[::1]:8080:80", True),
    ],
)
def test_published_ports(shop: Path, one: object, other: object, clash: bool) -> None:
    for name, port in (("orders", one), ("catalog", other)):
        own = shop / name / "compose.yaml"
        edit(own, lambda w, n=name, p=port: w["services"][n].update({"ports": [p]}))  # type: ignore[misc] # mypy reads no defaults of lambdas
    assert (clash and faults(shop)) == (
        clash
        and [
            "catalog/compose.yaml and orders/compose.yaml: publish port 8080; the gateway suffices."
        ]
    )
