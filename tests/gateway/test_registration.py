"""A registration says what is wrong with it: file, key and the nearest known key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.registration_schema import registration_schema
from svcgen.errors import SvcgenError
from svcgen.gateway.registration import Registration, read_registration
from svcgen.units import parse_duration, parse_size
from tests.support.repository import REPOSITORY

SCHEMA = REPOSITORY / "docs" / "registration.schema.json"
WHOLE = """
apiVersion: svcgen.dev/v1
service: orders
calls: [catalog]
upstream: {port: 9000, protocol: http, health: {http: /healthy, interval: 500ms}}
routes:
  orders:
    path: /v1/orders
    methods: [GET, POST]
    auth: none
    expose: gateway
    timeout: 5s
    retry: {attempts: 2, per_try: 2s}
  report: {exact: /v1/orders/report, auth: none, expose: internal}
"""
SMALLEST = {"apiVersion": "svcgen.dev/v1", "service": "orders"}
ROUTE = {"path": "/v1/orders", "auth": "none"}
NUMBERED: dict[Any, Any] = {**SMALLEST, 5: 1}


def read(folder: Path, content: object, overlay: dict[str, Any] | None = None) -> Registration:
    path = folder / "registration.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return read_registration(path, overlay, shown="orders/registration.yaml")


def with_route(**keys: object) -> dict[str, object]:
    route = {key: value for key, value in {**ROUTE, **keys}.items() if value is not None}
    return {**SMALLEST, "routes": {"orders": route}}


def test_every_key_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, WHOLE)
    assert found.upstream.port == 9000
    assert found.routes["orders"].retry.per_try == "2s"
    assert found.routes["report"].expose == "internal"


def test_what_is_not_written_has_its_default(tmp_path: Path) -> None:
    found = read(tmp_path, with_route())
    assert (found.upstream.port, found.upstream.health.interval) == (8080, "1s")
    assert (found.routes["orders"].expose, found.routes["orders"].retry.attempts) == ("gateway", 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**SMALLEST, "upstrem": {}}, 'upstrem is not a known key. Did you mean "upstream"?'),
        (
            with_route(timeot="5s"),
            'routes.orders.timeot is not a known key. Did you mean "timeout"?',
        ),
        (
            with_route(retry={"tries": 1}),
            "routes.orders.retry.tries is not a known key. Known keys:",
        ),
        (with_route(auth=None), "routes.orders.auth is mandatory: write `auth: none`"),
        ({**SMALLEST, "routes": {"a": {"path": "/a", "auth": None}}}, "routes.a.auth is mandatory"),
        (with_route(auth="public"), "routes.orders.auth must be one of these: write `auth: none`"),
        (with_route(auth=["none"]), "routes.orders.auth must be one of these"),
        (with_route(auth={}), "routes.orders.auth must be one of these"),
        (
            with_route(auth={"jwt": "idp", "scope": ["a"]}),
            'routes.orders.auth.scope is not a known key. Did you mean "scopes"?',
        ),
        (
            with_route(auth={"jwt": "idp", "tier": "gold"}),
            "routes.orders.auth.tier is not a known key. Known keys: jwt, scopes.",
        ),
        (
            with_route(auth={"keys": "partners"}),
            'routes.orders.auth must have one of the keys jwt, key and any: Did you mean "key"?',
        ),
        (with_route(auth={"jwt": "idp", "scopes": []}), "auth.scopes must not be empty"),
        (with_route(auth={"jwt": "idp", "scopes": "a"}), "auth.scopes must be a list, but is 'a'"),
        (with_route(auth={"jwt": "idp", "scopes": ["a b"]}), "auth.scopes.0 must be a scope"),
        (with_route(auth={"jwt": "idp", "scopes": ['a"b']}), "auth.scopes.0 must be a scope"),
        (with_route(auth={"jwt": "idp", "scopes": ["a\n"]}), "auth.scopes.0 must be a scope"),
        (with_route(auth={"jwt": None}), "routes.orders.auth.jwt must be text, but is empty"),
        (
            with_route(auth={"jwt": "idp", "key": "partners"}),
            "routes.orders.auth has jwt and key, but one is allowed: write "
            "`auth: {any: [{jwt: idp}, {key: partners}]}`",
        ),
        (with_route(auth={"any": [{"jwt": "idp"}]}), "auth.any must have at least 2 entries"),
        (
            with_route(auth={"any": [{"jwt": "idp"}, {"key": "a", "tiers": "b"}]}),
            'routes.orders.auth.any.1.tiers is not a known key. Did you mean "tier"?',
        ),
        (with_route(auth={"any": [{"jwt": "idp"}, "none"]}), "routes.orders.auth.any.1 must be"),
        (with_route(weaker=""), "routes.orders.weaker"),
        (with_route(path=None), "needs exactly one of path and exact"),
        (with_route(exact="/v1"), "needs exactly one of path and exact"),
        (with_route(path="v1/orders"), 'must start with "/"'),
        (with_route(path="/v1//orders"), 'must not hold "//"'),
        (with_route(path="/v1/../admin"), 'must not hold the segments "." and ".."'),
        (with_route(path="/v1/..;/x"), "they never match"),
        (with_route(path=None, exact="/v1/.;x"), "they never match"),
        (with_route(path="/v1/orders/"), "must not end with a slash"),
        (with_route(path="/v1/orders?x=1"), "RFC 3986"),
        (with_route(path="/v1/orders#top"), "RFC 3986"),
        (with_route(path="/v1/%6frders"), "RFC 3986"),
        (with_route(path="/v1/ördering"), "RFC 3986"),
        (with_route(path="/v1/orders\n"), "RFC 3986"),
        (with_route(methods=["get"]), "methods.0 must be 'GET', 'HEAD', 'POST', 'PUT', 'PATCH',"),
        (with_route(methods=[]), "routes.orders.methods must not be empty."),
        (with_route(methods=["CONNECT"]), "routes.orders.methods.0"),
        (
            with_route(timeout=5),
            "routes.orders.timeout must be a duration with its unit, but is 5: write 5s.",
        ),
        (with_route(timeout=0.5), "but is 0.5: write 500ms."),
        (with_route(timeout="5"), "must be a duration such as 500ms, 5s or 1m30s, but is '5'."),
        (with_route(timeout="0s"), "routes.orders.timeout must be longer than 0"),
        (with_route(timeout="25h"), "routes.orders.timeout must be from 1ms to 24h"),
        (with_route(path="/" + "a" * 2000), "routes.orders.path"),
        (with_route(retry={"per_try": "11s"}, timeout="10s"), "longer than the timeout, 10s"),
        (with_route(auth={"jwt": "\n"}), "routes.orders.auth"),
        (with_route(rate_limit={"requests": 1, "per": "1ms"}), "routes.orders.rate_limit.per"),
        (with_route(rate_limit={"requests": 1, "per": 1}), "but is 1: write 1s."),
        (with_route(cors={"origins": ["https://a\n"]}), "routes.orders.cors.origins.0"),
        (
            {**SMALLEST, "upstream": {"health": {"http": "/é"}}},
            "path such as /readyz, but is '/é'.",
        ),
        ({**SMALLEST, "upstream": {"health": {"http": ""}}}, "upstream.health.http"),
        ({**SMALLEST, "upstream": {"health": {"interval": "2h"}}}, "upstream.health.interval"),
        (with_route(expose="public"), "routes.orders.expose"),
        (
            with_route(retry={"attempts": "2"}),
            "retry.attempts must be a whole number, but is '2': write it without quotes.",
        ),
        (with_route(retry={"attempts": 9}), "attempts must be at most 5, but is 9."),
        (with_route(cors={"origins": ["a"], "credentials": "yes"}), "true or false, but is 'yes'."),
        (NUMBERED, "5 must be text: write the key in quotes."),
        ({**SMALLEST, "routes": [ROUTE]}, "routes must be a map"),
        (
            {**SMALLEST, "routes": {"auth": ROUTE | {"methods": "GET"}}},
            "routes.auth.methods must",
        ),
        ({**SMALLEST, "calls": [False]}, "calls.0 must be text, but is False: write it in quotes"),
        ({**SMALLEST, "service": "Orders"}, "service must be a name as in DNS: lower-case"),
        ({**SMALLEST, "apiVersion": "svcgen.dev/v9"}, "apiVersion"),
        ({"service": "orders"}, "apiVersion is missing"),
        ("- a list", "must be a map"),
        ("", "must be a map"),
        ("a: 2024-99-99", "cannot be read"),
        ("a: [", "cannot be read"),
        ("routes: {a: 1}\nroutes: {b: 2}", 'the key "routes" exists twice'),
    ],
)
def test_a_fault_is_named(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(SvcgenError) as refusal:
        read(tmp_path, content)
    assert "registration.yaml" in refusal.value.problem
    assert message in refusal.value.problem


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SvcgenError) as refusal:
        read(tmp_path, {**with_route(path="x", timeout="y", z=1), "service": "A"})
    assert len(refusal.value.problem.splitlines()) == 3


def test_an_overlay_is_laid_over_key_by_key(tmp_path: Path) -> None:
    overlay = {"routes": {"orders": {"timeout": "9s", "retry": {"attempts": 0}}}}
    found = read(tmp_path, WHOLE, overlay).routes["orders"]
    assert (found.timeout, found.retry.attempts, found.retry.per_try) == ("9s", 0, "2s")
    assert found.path == "/v1/orders"


def test_a_fault_in_an_overlay_names_svcgen_yaml(tmp_path: Path) -> None:
    with pytest.raises(SvcgenError, match=r"svcgen.yaml \(services.orders\): .*timeot"):
        read(tmp_path, WHOLE, {"routes": {"orders": {"timeot": "9s"}}})


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("250ms", 250), ("5s", 5000), ("1m30s", 90_000), ("1h", 3_600_000)]
)
def test_durations(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


def test_sizes() -> None:
    assert (parse_size("1MiB"), parse_size("512KiB"), parse_size("7")) == (1 << 20, 1 << 19, 7)


def test_the_example_in_docs_is_valid(tmp_path: Path) -> None:
    page = SCHEMA.with_name("registration.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert list(read(tmp_path, example).routes) == ["orders", "report"]


def test_the_schema_in_docs_is_the_model() -> None:
    assert SCHEMA.read_text() == registration_schema(), "run `make docs`"


def test_the_schema_takes_what_the_model_takes() -> None:
    import jsonschema

    check = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert check.is_valid(yaml.safe_load(WHOLE))
    assert not check.is_valid(with_route(timeot="5s"))
    assert not check.is_valid(with_route(auth=None))
