"""Which route wins: the order of the Gateway API's HTTPRoute."""

from __future__ import annotations

import pytest

from svcgen.gateway.paths import normal_path
from svcgen.gateway.registration import Registration
from svcgen.gateway.routes import Route, explain, route_table


def registration(service: str, **routes: dict[str, object]) -> Registration:
    entries = {name: {"auth": "none", **route} for name, route in routes.items()}
    written = {"apiVersion": "svcgen.dev/v1", "service": service, "routes": entries}
    return Registration.model_validate(written)


def table(*registrations: Registration) -> tuple[Route, ...]:
    return route_table(registrations)


SHOP = table(
    registration("all", every={"path": "/v1"}),
    registration("orders", orders={"path": "/v1/orders", "methods": ["GET", "POST"]}),
    registration("report", one={"exact": "/v1/orders/report", "methods": ["GET"]}),
    registration("audit", hidden={"path": "/audit", "expose": "internal"}),
    registration("items", read={"path": "/items", "methods": ["GET"]}),
    registration("writer", write={"path": "/items", "methods": ["POST"]}),
    registration("fallback", rest={"path": "/mixed"}, get={"path": "/mixed", "methods": ["GET"]}),
)


@pytest.mark.parametrize(
    ("method", "path", "winner"),
    [
        ("GET", "/v1/orders", "orders-orders"),
        ("GET", "/v1/orders/17", "orders-orders"),
        ("GET", "/v1/orders?limit=1", "orders-orders"),
        ("HEAD", "/v1/orders", "orders-orders"),
        ("OPTIONS", "/v1/orders", "orders-orders"),
        ("DELETE", "/v1/orders", "all-every"),  # the longer prefix does not take DELETE
        ("GET", "/v1/orders/report", "report-one"),
        ("POST", "/v1/orders/report", "orders-orders"),
        ("GET", "/v1/orders/report/2", "orders-orders"),
        ("GET", "/v1/ordersx", "all-every"),  # whole segments
        ("GET", "/v1/./x/../orders", "orders-orders"),
        ("GET", "/v1//orders", "orders-orders"),
        ("POST", "/items", "writer-write"),
        ("GET", "/mixed", "fallback-get"),
        ("PUT", "/mixed/a", "fallback-rest"),
    ],
)
def test_who_wins(method: str, path: str, winner: str) -> None:
    found = explain(SHOP, path, method)
    assert found.route is not None
    assert found.route.full_name == winner
    assert found.status == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nothing", 404, ()),
        ("GET", "/audit", 404, ()),
        ("GET", "/", 404, ()),
        ("GET", "/readyz", 200, ()),
        ("GET", "/v1/%2e%2e/readyz", 200, ()),
        ("GET", "/v1%2forders", 400, ()),
        ("DELETE", "/items/1", 405, ("GET", "HEAD", "POST", "OPTIONS")),
    ],
)
def test_the_gateways_own_answers(method: str, path: str, status: int, allow: object) -> None:
    found = explain(SHOP, path, method)
    assert (found.status, found.route, found.allow) == (status, None, allow)


def test_the_reason_names_what_lost() -> None:
    found = explain(SHOP, "/v1/orders/report", "GET")
    assert found.reason == "exact path /v1/orders/report, and it names the method"
    assert found.passed_over == (
        "orders-orders: a prefix gives way to an exact path",
        "all-every: a prefix gives way to an exact path",
    )


def test_the_order_of_registrations_means_nothing() -> None:
    one = registration("a", x={"path": "/x"}, y={"exact": "/x/y"})
    other = registration("b", x={"path": "/x", "methods": ["GET"]}, z={"path": "/x/z"})
    assert table(one, other) == table(other, one)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a/./b/../c", "/a/c"),
        ("/a/%2e%2e/b?x=/../y", "/b"),
        ("/../../a", "/a"),
        ("/a//b///c", "/a/b/c"),
        ("/%61/%7e", "/a/~"),
        ("/a/..", "/"),
        ("//", "//"),
        ("/a\\b", "/a/b"),
        ("/a/{b}", "/a/%7Bb%7D"),
        ("http://localhost:8000/a?b", "/a"),
        ("/a/%zz/../b", "/a/b"),
    ],
)
def test_normal_path(target: str, path: str) -> None:
    assert normal_path(target) == path


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/a%2Fb", "the escaped slash, backslash or NUL %2F"),
        ("/a%5cb", "the escaped slash, backslash or NUL %5c"),
        ("/a/..;/b", "some servers read another path"),
        ("/a/%2e%2E%3bx/b", "some servers read another path"),
        ("/a/%252e", "some servers read another path"),
        ("/a/%2%30", "must be followed by two hexadecimal digits"),
        ("/a#b", "cannot contain the character '#'"),
        ("/a b", "cannot contain the character ' '"),
        ("/\x1b[0m", r"cannot contain the character '\x1b'"),
        ("a", 'starts with "/"'),
    ],
)
def test_a_path_that_the_gateway_refuses(target: str, reason: str) -> None:
    found = explain(SHOP, target)
    assert found.status == 400
    assert reason in found.reason


def test_a_method_that_no_route_can_name_reaches_no_service() -> None:
    found = explain(SHOP, "/v1/orders", "TRACE")
    assert (found.status, found.route) == (405, None)
    assert found.allow == ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


INTERNAL = table(
    registration(
        "echo",
        echo={"path": "/v1/echo", "methods": ["GET", "POST"]},
        admin={"path": "/v1/echo/admin", "expose": "internal"},
        state={"exact": "/v1/echo/state", "methods": ["GET"], "expose": "internal"},
        open={"path": "/v1/echo/admin/open", "methods": ["GET"]},
    ),
)


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/v1/echo/admin", 404, ()),
        ("POST", "/v1/echo/admin/x", 404, ()),
        ("DELETE", "/v1/echo/admin", 404, ()),
        ("TRACE", "/v1/echo/admin", 404, ()),
        ("GET", "/v1/echo/state", 404, ()),
        ("POST", "/v1/echo/state", 0, ()),  # the internal route names GET only
        ("GET", "/v1/echo/state/x", 0, ()),
        ("DELETE", "/v1/echo/state", 405, ("POST",)),
        ("GET", "/v1/echo/admin/open", 0, ()),
        ("POST", "/v1/echo/admin/open", 404, ()),
        ("FOO", "/v1/echo/admin/open", 405, ("GET", "HEAD", "OPTIONS")),
    ],
)
def test_an_internal_route_withholds_its_path(
    method: str, path: str, status: int, allow: tuple[str, ...]
) -> None:
    found = explain(INTERNAL, path, method)
    assert (found.status, found.allow) == (status, allow)
