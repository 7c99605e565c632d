"""No route is weaker by accident: what a protected route does not take needs as much elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from svcgen.commands.routes import list_routes
from svcgen.workspace import open_workspace
from tests.support.workspaces import faults, inspect, make, registration, stitch

JWT = {"jwt": "dev"}
READ, WRITE = {**JWT, "scopes": ["read"]}, {**JWT, "scopes": ["write", "read"]}
OPEN = "none"
INTERNAL = {"expose": "internal"}


def shop(root: Path, **routes: dict[str, Any]) -> Path:
    folder = make(root, "orders")
    registration(folder, routes=routes)
    every: dict[str, Any] = {
        method: {} for method in ("get", "post", "put", "patch", "delete", "options", "head")
    }
    paths = dict.fromkeys(("/v1/{a}", "/v1/{a}/{b}", "/v1/{a}/{b}/{c}"), every)
    (folder / "openapi.json").write_text(json.dumps({"openapi": "3.1.0", "paths": paths}))
    return root


ADMIN, ORDERS = "/v1/orders/admin", "/v1/orders"


@pytest.mark.parametrize(
    ("strong", "weak", "taken"),
    [
        ({"path": ADMIN, "methods": ["GET"], "auth": JWT}, {"path": ORDERS, "auth": OPEN}, "POST"),
        ({"path": ADMIN, "methods": ["GET"], "auth": READ}, {"path": ORDERS, "auth": JWT}, "POST"),
        (
            {"path": ADMIN, "methods": ["GET", "POST"], "auth": WRITE},
            {"path": ORDERS, "methods": ["GET", "PUT"], "auth": READ},
            "PUT",
        ),
        (
            {"path": ADMIN, "methods": ["GET"], "auth": READ},
            {"path": ADMIN, "auth": OPEN},
            "POST",
        ),
        (
            {"path": ADMIN, "methods": ["GET"], "auth": JWT},
            {"path": ORDERS, "auth": {"any": [JWT, {"jwt": "idp"}]}},
            "POST",
        ),
        ({"exact": ADMIN, "auth": JWT}, {"path": ORDERS, "auth": OPEN}, f"{ADMIN}/"),
        # Not weaker:
        ({"path": ADMIN, "auth": JWT}, {"path": ORDERS, "auth": OPEN}, ""),
        ({"path": ADMIN, "methods": ["GET"], "auth": JWT}, {"path": ORDERS, "auth": READ}, ""),
        ({"path": ADMIN, "methods": ["GET"], "auth": OPEN}, {"path": ORDERS, "auth": JWT}, ""),
        (
            {"path": ADMIN, "methods": ["POST"], "auth": WRITE},
            {"path": ADMIN, "methods": ["GET"], "auth": READ},
            "",
        ),
        (
            {"path": ADMIN, "methods": ["GET"], "auth": JWT},
            {"path": ORDERS, "methods": ["GET"], "auth": OPEN},
            "",
        ),
        (
            {"path": ADMIN, "methods": ["GET"], "auth": {"any": [JWT, {"jwt": "idp"}]}},
            {"path": ORDERS, "auth": READ},
            "",
        ),
    ],
    ids=str,
)
def test_a_weaker_route_is_refused_unless_it_says_why(
    tmp_path: Path, strong: dict[str, Any], weak: dict[str, Any], taken: str
) -> None:
    shop(tmp_path, strong=strong, weak=weak)
    (tmp_path / "keys.json").write_text('{"keys": [{"kty": "EC"}]}')
    issuers = "{idp: {issuer: a, audiences: [b], jwks: keys.json}}"
    (tmp_path / "svcgen.yaml").write_text(f"gateway: {{issuers: {issuers}}}\n")
    if taken:
        (fault,) = faults(tmp_path)
        file = "orders/chart/registration.yaml"
        assert fault.startswith(f"{file}: routes.weak: it takes ")
        assert taken in fault
        assert fault.endswith("write in routes.weak: weaker: REASON")
    weak["weaker"] = "the front page is public"
    registration(tmp_path / "orders", routes={"strong": strong, "weak": weak})
    assert inspect(tmp_path).faults == ()
    table = list_routes(open_workspace(tmp_path)).routes
    assert [route.weaker for route in table if route.name == "weak"] == [weak["weaker"]]


def test_an_exact_route_does_not_hide_what_is_open_below(tmp_path: Path) -> None:
    admin = {"path": ADMIN, "methods": ["GET"], "auth": JWT}
    exact = {
        "exact": ADMIN,
        "methods": ["POST", "PUT", "PATCH", "DELETE"],
        "auth": OPEN,
        **INTERNAL,
    }
    shop(tmp_path, admin=admin, exact=exact, all={"path": ORDERS, "auth": OPEN})
    (fault,) = faults(tmp_path)
    assert f"it takes POST {ADMIN}" in fault


def test_issuers_are_named_by_routes_and_svcgen_yaml(tmp_path: Path) -> None:
    """The development issuer needs no entry, and its key is in no committed file."""
    shop(tmp_path, one={"path": ORDERS, "auth": JWT})
    stitch(tmp_path)
    assert "dev" not in (tmp_path / "gateway/access/jwt.json").read_text()
    registration(tmp_path / "orders", routes={"one": {"path": ORDERS, "auth": JWT, **INTERNAL}})
    (fault,) = faults(tmp_path)
    assert fault.endswith("the gateway checks no calls between services. Write `auth: none`.")
    registration(tmp_path / "orders", routes={"one": {"path": ORDERS, "auth": JWT}})
    (tmp_path / "svcgen.yaml").write_text("gateway: {development_issuer: false}\n")
    assert faults(tmp_path) == [
        "orders/chart/registration.yaml and svcgen.yaml: routes.one.auth:"
        " gateway.development_issuer in svcgen.yaml is false."
    ]


@pytest.mark.needs("local")
def test_keys_that_envoy_cannot_read_are_named_by_their_issuer(tmp_path: Path) -> None:
    shop(tmp_path, one={"path": ORDERS, "auth": {"jwt": "idp"}})
    (tmp_path / "keys.json").write_text('{"keys": [{"kty": "EC", "crv": "P-256"}]}')
    issuers = "{idp: {issuer: a, audiences: [b], jwks: keys.json}}"
    (tmp_path / "svcgen.yaml").write_text(f"gateway: {{issuers: {issuers}}}\n")
    (fault,) = faults(tmp_path)
    assert fault.startswith("svcgen.yaml: gateway.issuers: Envoy refuses what they need: ")
    assert "'idp'" in fault
