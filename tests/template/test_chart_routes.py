"""What the chart makes of a registration, and what it refuses because it could only pretend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from svcgen.gateway.envoy.removed_headers import NAMES
from svcgen.gateway.paths import path_problem, reserved_problem
from tests.support.helm import Object, container, only, render, template
from tests.support.repository import NewService

pytestmark = pytest.mark.needs("helm")


def register(service: Path, changes: Object, route: Object | None = None) -> Path:
    """Write another registration: other keys of the document, other keys of its one route."""
    path = service / "chart" / "registration.yaml"
    document = yaml.safe_load(path.read_text()) | dict(changes)
    if route is not None:
        document["routes"] = {"main": {"path": "/v1/orders", "auth": "none"} | dict(route)}
    path.write_text(json.dumps(document))
    return service


def http_routes(objects: list[Any]) -> dict[str, Any]:
    found = [one for one in objects if one["kind"] == "HTTPRoute"]
    return {one["metadata"]["name"]: one["spec"]["rules"][0] for one in found}


def overlay(**route: object) -> dict[str, Any]:
    return {"gateway": {"routes": {"main": route}}}


ALL = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.mark.parametrize(
    ("written", "matched"),
    [
        (None, [None]),  # all methods: one match without any
        (["GET"], ["GET", "HEAD", "OPTIONS"]),
        (["POST", "DELETE"], ["DELETE", "OPTIONS", "POST"]),
        (["HEAD", "GET", "OPTIONS"], ["GET", "HEAD", "OPTIONS"]),
        (ALL, sorted(ALL)),
    ],
    ids=str,
)
def test_methods_become_matches(new_service: NewService, written: Any, matched: Any) -> None:
    route = {} if written is None else {"methods": written}
    (rule,) = http_routes(render(register(new_service("orders"), {}, route), {})).values()
    path = {"type": "PathPrefix", "value": "/v1/orders"}
    assert [match["path"] for match in rule["matches"]] == [path] * len(matched)
    assert sorted((match.get("method") for match in rule["matches"]), key=str) == matched


def test_a_route_is_an_http_route(new_service: NewService) -> None:
    route = {"exact": "/v1/x/", "auth": "none", "timeout": "1m30s", "retry": {"attempts": 1}}
    routes = {"one": route, "two": {"path": "/v1/y", "auth": "none"}}
    service = register(new_service("orders"), {"routes": routes})
    found = http_routes(render(service, {}))
    assert set(found) == {"orders-one", "orders-two"}
    one = found["orders-one"]
    assert one["matches"] == [{"path": {"type": "Exact", "value": "/v1/x/"}}]
    assert one["timeouts"] == {"request": "1m30s"}
    assert one["backendRefs"] == [{"name": "orders", "port": 8080}]
    assert found["orders-two"]["timeouts"] == {"request": "10s"}  # docs/registration.md


def test_a_client_cannot_say_who_it_is(new_service: NewService) -> None:
    (rule,) = http_routes(render(new_service("orders"), {})).values()
    (removed,) = [part["requestHeaderModifier"]["remove"] for part in rule["filters"]]
    assert set(removed) == {"x-auth-subject", "x-auth-scopes", *NAMES}
    assert len(removed) <= 16  # the Gateway API's limit


def test_hosts_and_gateway_come_from_values(new_service: NewService) -> None:
    values = {"gateway": {"parentRefs": [{"name": "edge"}], "hostnames": ["a.example.com"]}}
    spec = only(render(new_service("orders"), values), "HTTPRoute")["spec"]
    assert (spec["parentRefs"], spec["hostnames"]) == ([{"name": "edge"}], ["a.example.com"])


@pytest.mark.parametrize(
    ("changes", "route", "values"),
    [
        ({}, {"expose": "internal"}, {}),
        ({}, {}, {"gateway": {"enabled": False}}),
        ({}, {}, overlay(expose="internal")),
        ({"routes": None, "calls": None, "upstream": None}, None, {}),
        ({"routes": {}}, None, {}),
    ],
)
def test_nothing_is_exposed_unasked(
    new_service: NewService, changes: Object, route: Any, values: Object
) -> None:
    assert http_routes(render(register(new_service("orders"), changes, route), values)) == {}


def test_values_are_laid_over_the_registration_by_key(new_service: NewService) -> None:
    service = register(new_service("orders"), {}, {"methods": ["GET"], "timeout": "5s"})
    more = {"exact": "/v1/more", "auth": "none"}
    routes = {"main": {"timeout": "9s"}, "more": more}
    values = {"gateway": {"routes": routes, "upstream": {"port": 9000}}}
    objects = render(service, values)
    main = http_routes(objects)["orders-main"]
    assert main["timeouts"] == {"request": "9s"}
    assert len(main["matches"]) == 3
    assert set(http_routes(objects)) == {"orders-main", "orders-more"}
    assert container(objects)["ports"] == [{"name": "http", "containerPort": 9000}]
    assert only(objects, "Service")["spec"]["ports"][0]["port"] == 8080  # the contract's address


CANNOT = "which the chart cannot enforce"


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ({"auth": {"jwt": "idp"}}, "routes.main.auth must be none"),
        ({"auth": {"jwt": "idp", "scopes": ["orders:read"]}}, "routes.main.auth must be none"),
        ({"auth": "public"}, "not public"),
        ({"auth": None}, "routes.main.auth must be none"),
        ({"auth": ["none"]}, "routes.main.auth must be none"),
        ({"auth": False}, "routes.main.auth must be none"),
        ({"auth": {"jwt": "idp"}, "expose": "internal"}, "routes.main.auth must be none"),
        ({"rate_limit": {"requests": 1, "per": "1s"}}, f"has rate_limit, {CANNOT}"),
        ({"cors": {"origins": ["*"]}}, f"has cors, {CANNOT}"),
        ({"transcode": {"service": "x"}}, f"has transcode, {CANNOT}"),
        ({"grpc": "shop.v1.Orders"}, f"has grpc, {CANNOT}"),
        ({"regex": "/v1/.*"}, f"has regex, {CANNOT}"),
        ({"headers": {"x": "y"}}, "keys are auth, exact, expose, methods, path, retry, timeout"),
        ({"Auth": "none"}, f"has Auth, {CANNOT}"),
        ({"exact": "/v1/orders"}, "routes.main needs path or exact"),
        ({"path": 7}, "not 7"),
        ({"methods": []}, "routes.main.methods must be"),
        ({"methods": None}, "routes.main.methods must be"),
        ({"methods": "GET"}, "routes.main.methods must be"),
        ({"methods": ["get"]}, 'not ["get"]'),
        ({"methods": ["GET POST"]}, "routes.main.methods must be"),
        ({"methods": ["TRACE"]}, "routes.main.methods must be"),
        ({"expose": "public"}, "routes.main.expose must be gateway or internal"),
        ({"timeout": "1.5s"}, "routes.main.timeout must be"),
        ({"timeout": 5}, "routes.main.timeout must be"),
        ({"timeout": "0s"}, "routes.main.timeout must be"),
    ],
    ids=str,
)
def test_what_it_cannot_enforce_it_refuses(
    new_service: NewService, route: Object, said: str
) -> None:
    refusal = template(register(new_service("orders"), {}, route), {})
    assert refusal.startswith("Error: execution error")
    assert "registration.yaml" in refusal
    assert said in refusal


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"apiVersion": "svcgen.dev/v2"}, "apiVersion must be svcgen.dev/v1, not svcgen.dev/v2"),
        ({"service": "catalog"}, "service must be the chart's name, orders, not catalog"),
        ({"compositions": []}, f"has compositions, {CANNOT}"),
        ({"calls": "catalog"}, "calls must be a list of service names"),
        ({"calls": [1]}, "calls must be a list of service names"),
        ({"calls": ["Catalog"]}, "calls must be a list of service names"),
        ({"routes": [{"name": "main"}]}, "routes must be a map"),
        ({"routes": {"main": None}}, "routes.main must be a map"),
        ({"routes": {"Main_": {"path": "/x", "auth": "none"}}}, "routes.Main_.name must be"),
        ({"upstream": {"protocol": "grpc"}}, "upstream.protocol must be http"),
        ({"upstream": {"port": "http"}}, "upstream.port must be a port"),
        ({"upstream": {"balance": "random"}}, f"upstream has balance, {CANNOT}"),
        ({"upstream": [8080]}, "upstream must be a map"),
    ],
    ids=str,
)
def test_another_document_is_refused(new_service: NewService, changes: Object, said: str) -> None:
    assert said in template(register(new_service("orders"), changes), {})


@pytest.mark.parametrize("text", [None, "", "routes: [", "just text", "- a\n- b\n"])
def test_a_registration_that_is_none_is_refused(new_service: NewService, text: str | None) -> None:
    service = new_service("orders")
    path = service / "chart" / "registration.yaml"
    path.unlink() if text is None else path.write_text(text)
    assert "registration.yaml" in template(service, {}).partition("Error: execution error")[2]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (overlay(auth={"jwt": "idp"}), "routes.main.auth must be none"),
        (overlay(auth=""), "routes.main.auth must be none"),
        (overlay(cors={"origins": []}), f"has cors, {CANNOT}"),
        (overlay(methods=[]), "routes.main.methods must be"),
        (overlay(exact="/v1/orders"), "needs path or exact"),
        ({"gateway": {"routes": {"other": {"path": "/v1/b"}}}}, "routes.other.auth must be none"),
        ({"gateway": {"upstream": {"protocol": "h2c"}}}, "upstream.protocol must be http"),
        ({"calls": {"catalog": "http://x"}}, "calls lacks catalog"),
    ],
    ids=str,
)
def test_values_cannot_bring_in_what_is_refused(
    new_service: NewService, values: Object, said: str
) -> None:
    assert said in template(register(new_service("orders"), {}, {}), values)


@pytest.mark.parametrize(
    ("internal", "exposed", "refused"),
    [
        ({"path": "/v1/echo/admin"}, {"path": "/v1/echo"}, True),
        ({"path": "/v1/echo"}, {"path": "/v1/echo"}, True),
        ({"exact": "/v1/echo"}, {"path": "/v1/echo"}, True),
        ({"exact": "/v1/echo"}, {"exact": "/v1/echo"}, True),
        ({"path": "/v1/echo/admin", "methods": ["GET"]}, {"path": "/v1/echo"}, True),
        (
            {"path": "/v1/echo/x", "methods": ["HEAD"]},
            {"path": "/v1/echo", "methods": ["GET"]},
            True,
        ),
        ({"path": "/v1/echo", "methods": ["PUT"]}, {"path": "/v1/echo", "methods": ["GET"]}, False),
        ({"path": "/v1/echoes"}, {"path": "/v1/echo"}, False),
        ({"path": "/v1/echo"}, {"path": "/v1/echo/open"}, False),
        ({"path": "/v1/echo"}, {"exact": "/v1/echo"}, False),
    ],
    ids=str,
)
def test_an_internal_route_below_an_exposed_one_is_refused(
    new_service: NewService, internal: Object, exposed: Object, refused: bool
) -> None:
    routes = {
        "open": {"auth": "none", **exposed},
        "hidden": {"auth": "none", "expose": "internal", **internal},
    }
    output = template(register(new_service("orders"), {"routes": routes}), {})
    assert ("routes.hidden is internal, but routes.open exposes" in output) == refused
    assert output.startswith("Error") == refused


PATHS = (
    *("/", "/v1/a-b._~!$&'()*+,;=:@", "/v1/", "/...", "/.a", "v1", "", "/v1//a", "/v1/../a"),
    *("/v1/.", "/v1/%2e", "/v1?x=1", "/v1/ä", "/v1/a b", "/readyz/x", "/readyzx", "/docs"),
    *("/openapi.json", "/openapixjson", "/v1/..;/x", "/v1/.;", "/v1/;", "/v1/...;", "/v1/.a;"),
)


@pytest.mark.parametrize("path", PATHS)
def test_the_chart_takes_the_paths_that_the_gateway_takes(
    new_service: NewService, path: str
) -> None:
    service = register(new_service("orders"), {}, {"path": path})
    refused = template(service, {}).startswith("Error")
    assert refused == bool(path_problem(path, prefix=True) or reserved_problem(path))
    route = {"exact": path, "auth": "none"}
    refused = template(register(service, {"routes": {"main": route}}), {}).startswith("Error")
    assert refused == bool(path_problem(path, prefix=False) or reserved_problem(path))
