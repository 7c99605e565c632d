"""Routes for API keys, behind a real Envoy: which callers pass, and what reaches the service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from svcgen.gateway.admin import acknowledged, read_stats
from svcgen.gateway.apply import KEYS_FILE, RefusedFileError
from svcgen.gateway.envoy.api_keys import keys_document
from svcgen.gateway.envoy.files import ComposePlacement, edge_files, static_twin, upstream_of
from svcgen.gateway.issuers import development_issuer
from svcgen.gateway.keys import hash_of, new_secret
from svcgen.gateway.routes import route_table
from svcgen.gateway.tokens import ensure_key, sign
from svcgen.run.local.envoy_program import find_envoy
from svcgen.run.validation import ask_program
from tests.support.envoy_process import Gateway, basic, load, problem, registration, until
from tests.support.raw_http import Reply, exchange, exchange_http2
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")

SECRETS = {
    user: new_secret() for user in ("partners.acme", "partners.gold.big", "partnersx.eve", "gold.x")
}
ROUTES: dict[str, dict[str, object]] = {
    "open": {"path": "/open"},
    "keys": {"path": "/keys", "auth": {"key": "partners"}},
    "gold": {"path": "/keys/gold", "auth": {"key": "partners", "tier": "gold"}},
    "both": {
        "path": "/both",
        "auth": {"any": [{"jwt": "dev", "scopes": ["orders:read"]}, {"key": "partners"}]},
    },
    "two": {
        "path": "/two",
        "auth": {"any": [{"key": "partners", "tier": "gold"}, {"key": "gold"}]},
    },
}
Fields = Sequence[tuple[str, str]]


@pytest.fixture(scope="module")
def orders() -> Upstream:
    return Upstream("orders")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the key of the development issuer."""
    folder = tmp_path_factory.mktemp("state")
    ensure_key(folder)
    return folder


@pytest.fixture(scope="module")
def shop(orders: Upstream, state: Path) -> Iterator[Gateway]:
    gateway = Gateway()
    gateway.issuers = development_issuer(state)
    gateway.keys = {user: hash_of(secret) for user, secret in SECRETS.items()}
    try:
        gateway.use({"orders": [orders.port]}, [registration("orders", **ROUTES)])
        until(lambda: gateway.healthy("orders"))
        yield gateway
    finally:
        gateway.end()


def key(user: str) -> tuple[str, str]:
    return basic(f"{user}:{SECRETS[user]}")


def get(gateway: Gateway, path: str, *fields: tuple[str, str]) -> Reply:
    (reply,) = exchange(gateway.port, [("GET", path)], fields)
    return reply


@pytest.mark.parametrize(
    ("path", "user"),
    [
        ("/keys", "partners.acme"),
        ("/keys/1", "partners.gold.big"),
        ("/keys/gold", "partners.gold.big"),
        ("/two", "partners.gold.big"),
        ("/two", "gold.x"),
    ],
)
def test_the_service_learns_the_name_of_a_valid_key_and_not_the_key(
    shop: Gateway, path: str, user: str
) -> None:
    forged = [("x-auth-subject", "root"), ("X-Auth-Subject", "root"), ("x-auth-scopes", "all")]
    dropped = ("Connection", "x-auth-subject")  # RFC 9110, section 7.6.1
    reply = get(shop, path, key(user), *forged, dropped)
    assert reply.status == 200
    received = json.loads(reply.body)["headers"]
    assert received["x-auth-subject"] == user
    assert "authorization" not in received
    assert "x-auth-scopes" not in received
    assert SECRETS[user] not in reply.body.decode()


@pytest.mark.parametrize(
    ("path", "user"),
    [
        ("/keys", "partnersx.eve"),
        ("/keys", "gold.x"),
        ("/keys/gold", "partners.acme"),
        ("/keys/gold/1", "gold.x"),
        ("/two", "partners.acme"),
    ],
)
def test_a_key_of_another_group_or_tier_is_forbidden(
    shop: Gateway, orders: Upstream, path: str, user: str
) -> None:
    seen = len(orders.seen)
    reply = get(shop, path, key(user))
    assert reply.status == 403
    assert reply.headers["content-type"] == "application/problem+json"
    assert json.loads(reply.body)["detail"] == "The route takes keys of another group or tier."
    assert len(orders.seen) == seen


ACME = SECRETS["partners.acme"]
NO_VALID_KEY: dict[str, Fields] = {
    "no key": [],
    "forged subject": [("x-auth-subject", "partners.acme")],
    "wrong key": [basic(f"partners.acme:{new_secret()}")],
    "key of another name": [basic(f"partners.acme:{SECRETS['partners.gold.big']}")],
    "hash instead of the key": [basic(f"partners.acme:{hash_of(ACME)}")],
    "the user that Envoy needs": [basic("-:")],
    "its hash": [basic("-:{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA=")],
    "no password": [basic("partners.acme:")],
    "no colon": [basic("partners.acme")],
    "nothing at all": [basic(":")],
    "no credentials": [("Authorization", "Basic ")],
    "upper case": [basic(f"PARTNERS.acme:{ACME}")],
    "name alone": [basic(f"acme:{ACME}")],
    "two dots": [basic(f"partners..acme:{ACME}")],
    "tier by the name": [basic(f"partners.gold.acme:{ACME}")],
    "dot at the end": [basic(f"partners.acme.:{ACME}")],
    "space before": [basic(f" partners.acme:{ACME}")],
    "line before": [basic(f"x\npartners.acme:{ACME}")],
    "NUL": [basic(f"partners.acme\0:{ACME}")],
    "colon after": [basic(f"partners.acme:{ACME}:")],
    "not base64": [("Authorization", "Basic partners.acme:key")],
    "base64 with a rest": [("Authorization", f"{key('partners.acme')[1]}!")],
    "bearer": [("Authorization", f"Bearer {ACME}")],
    "bearer with a key": [basic(f"partners.acme:{ACME}", "Bearer ")],
    "tab": [basic(f"partners.acme:{ACME}", "Basic\t")],
    "two keys": [key("partners.acme"), key("partners.gold.big")],
    "key and token": [key("partners.acme"), ("Authorization", "Bearer x")],
    "token and key": [("Authorization", "Bearer x"), key("partners.acme")],
    "two in one line": [("Authorization", f"{key('partners.acme')[1]}, Bearer x")],
    "x-api-key": [("x-api-key", ACME)],
    "proxy-authorization": [("Proxy-Authorization", key("partners.acme")[1])],
    "cookie": [("Cookie", f"authorization={key('partners.acme')[1]}; key={ACME}")],
}


@pytest.mark.parametrize("attack", NO_VALID_KEY)
@pytest.mark.parametrize("send", [exchange, exchange_http2], ids=["http1", "http2"])
def test_without_a_valid_key_nothing_reaches_the_service(
    shop: Gateway, orders: Upstream, attack: str, send: object
) -> None:
    seen = len(orders.seen)
    fields = NO_VALID_KEY[attack]
    path = f"/keys?key={ACME}&authorization=Basic"
    if send is exchange:
        reply = get(shop, path, *fields)
    else:
        lower = [(name.lower(), value) for name, value in fields]
        answered = exchange_http2(shop.port, ("GET", path), lower)
        assert answered
        reply = answered
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == 'Basic realm="partners", charset="UTF-8"'
    assert reply.headers["content-type"] == "application/problem+json"
    assert json.loads(reply.body)["status"] == 401
    assert "key" in json.loads(reply.body)["detail"]
    assert len(orders.seen) == seen


KEY, OTHER_KEY = key("partners.acme"), key("gold.x")
READ = ("orders:read",)


@pytest.mark.parametrize(
    ("credentials", "status", "subject"),
    [
        ((KEY,), 200, "partners.acme"),
        (("TOKEN",), 200, "ann"),
        ((), 401, ""),
        ((OTHER_KEY,), 403, ""),
        ((basic("partners.acme:wrong"),), 401, ""),
        ((basic(f"partners.acme:{ACME}", "basic "),), 401, ""),
        ((basic(f"partners.acme:{ACME}", "BASIC "),), 401, ""),
        ((basic(f"partners.acme:{ACME}", "Bearer "),), 401, ""),
        ((("Authorization", f"Bearer {ACME}"),), 401, ""),
        (("WEAK",), 403, ""),
        (("BASIC TOKEN",), 401, ""),
        ((KEY, "TOKEN"), 401, ""),
        (("TOKEN", KEY), 401, ""),
        ((OTHER_KEY, "TOKEN"), 401, ""),
        (("TOKEN", OTHER_KEY), 401, ""),
        (("WEAK", KEY), 401, ""),
        ((("Authorization", "Bearer x"), KEY), 401, ""),
        ((("Authorization", "Negotiate x"), KEY), 401, ""),
        ((("Authorization", " "), KEY, KEY), 401, ""),
    ],
)
def test_a_route_for_both_enforces_each_credential_alone(
    shop: Gateway,
    orders: Upstream,
    state: Path,
    credentials: tuple[tuple[str, str] | str, ...],
    status: int,
    subject: str,
) -> None:
    token = sign(state, "ann", READ).text
    tokens = {
        "TOKEN": f"Bearer {token}",
        "WEAK": f"Bearer {sign(state, 'ann', ('orders:write',)).text}",
        "BASIC TOKEN": f"Basic {token}",
    }
    fields = [
        ("Authorization", tokens[each]) if isinstance(each, str) else each for each in credentials
    ]
    seen = len(orders.seen)
    reply = get(shop, "/both", *fields, ("x-auth-subject", "root"))
    assert reply.status == status, reply.body
    assert len(orders.seen) - seen == (status == 200)
    if subject:
        received = json.loads(reply.body)["headers"]
        assert received["x-auth-subject"] == subject
        assert received.get("x-auth-scopes", "") == ("orders:read" if subject == "ann" else "")
        assert KEY[1] not in received.values()


def test_a_token_cannot_have_the_name_of_a_key(
    shop: Gateway, orders: Upstream, state: Path
) -> None:
    """The service, and limits by subject, could not tell them apart."""
    seen = len(orders.seen)
    for subject, status in (("partners.acme", 403), ("partnersx.acme", 200)):
        text = sign(state, subject, ["orders:read"]).text
        assert get(shop, "/both", ("Authorization", f"Bearer {text}")).status == status
    assert len(orders.seen) == seen + 1


def test_a_route_for_both_names_both_challenges(shop: Gateway) -> None:
    connection = HTTPConnection("127.0.0.1", shop.port, timeout=10)
    with closing(connection):
        connection.request("GET", "/both?key=secret")
        answer = connection.getresponse()
        answer.read()
    challenges = answer.headers.get_all("www-authenticate")
    assert challenges == ["Bearer", 'Basic realm="partners", charset="UTF-8"']


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("path", ["/keys", "/open/../keys", "/keys/", "//keys", "/%6beys/x"])
def test_no_method_or_spelling_of_the_path_passes(
    shop: Gateway, orders: Upstream, method: str, path: str
) -> None:
    seen = len(orders.seen)
    assert shop.send(path, method).status == 401
    assert len(orders.seen) == seen


def test_envoy_accepts_every_name_and_many_ways() -> None:
    name = "a" + "b" * 39
    ways = [{"key": f"g{number}", "tier": "gold"} for number in range(20)]
    routes: dict[str, dict[str, object]] = {
        "long": {"path": "/long", "auth": {"key": name, "tier": name}},
        "many": {"path": "/many", "auth": {"any": [*ways, {"jwt": "dev"}, {"key": "g1"}]}},
        **ROUTES,
    }
    fleet = [registration("orders", **routes)]
    upstreams = [upstream_of(each, 1_000) for each in fleet]
    files = edge_files(route_table(fleet), upstreams, ComposePlacement())
    assert ask_program(find_envoy(), static_twin(files)) == ""


def test_a_change_of_many_keys_is_waited_for(orders: Upstream) -> None:
    gateway, secret = Gateway(), new_secret()
    others = {f"partners.p{number}": hash_of(new_secret()) for number in range(10_000)}
    gateway.keys = {**others, "partners.last": hash_of(secret)}
    fields = dict([basic(f"partners.last:{secret}")])
    try:
        gateway.use({"orders": [orders.port]}, [registration("orders", **ROUTES)])
        until(lambda: gateway.healthy("orders"))
        assert gateway.send("/keys", headers=fields).status == 200
        wait_applied = acknowledged(lambda: read_stats(gateway.admin))
        gateway.replace(KEYS_FILE, keys_document(others.items()))
        wait_applied(KEYS_FILE)
        until(lambda: gateway.send("/keys", headers=fields).status == 401)
        wait_applied = acknowledged(lambda: read_stats(gateway.admin))
        gateway.replace(KEYS_FILE, keys_document([("partners.p1", "{SHA}short")]))
        with pytest.raises(RefusedFileError):
            wait_applied(KEYS_FILE)
    finally:
        gateway.end()


def test_an_open_route_does_not_check_the_header(shop: Gateway) -> None:
    reply = get(shop, "/open", basic("its:own"), ("x-auth-subject", "root"))
    received = json.loads(reply.body)["headers"]
    assert received["authorization"] == basic("its:own")[1]
    assert "x-auth-subject" not in received


def test_keys_are_added_and_revoked_while_requests_run(shop: Gateway) -> None:
    late, secret = ("partners.late", new_secret())
    line = basic(f"{late}:{secret}")
    assert get(shop, "/keys", line).status == 401

    def use(users: dict[str, str]) -> None:
        shop.replace(KEYS_FILE, keys_document(users.items()))

    with load(shop.port, "/keys", rate=200, headers=[key("partners.acme")]) as failed:
        for _ in range(3):
            use({**shop.keys, late: hash_of(secret)})
            until(lambda: get(shop, "/keys", line).status == 200)
            use(shop.keys)
            until(lambda: get(shop, "/keys", line).status == 401)
    assert failed == []


def test_an_open_connection_obeys_a_change(shop: Gateway) -> None:
    name, value = key("partners.gold.big")
    connection = HTTPConnection("127.0.0.1", shop.port, timeout=10)
    without = {user: hash_ for user, hash_ in shop.keys.items() if user != "partners.gold.big"}

    def status() -> int:
        connection.request("GET", "/keys", headers={name: value})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    with closing(connection):
        assert status() == 200
        opened = connection.sock
        shop.replace(KEYS_FILE, keys_document(without.items()))
        until(lambda: status() == 401)
        shop.replace(KEYS_FILE, keys_document(shop.keys.items()))
        until(lambda: status() == 200)
        assert connection.sock is opened


def test_without_any_key_nothing_passes() -> None:
    gateway = Gateway()
    orders = Upstream("orders")
    try:
        gateway.use({"orders": [orders.port]}, [registration("orders", **ROUTES)])
        until(lambda: gateway.healthy("orders"))
        problem(gateway.send("/keys", headers=dict([key("partners.acme")])), 401)
        assert gateway.send("/open").status == 200
    finally:
        gateway.end()
    assert orders.seen == ["GET /open"]
