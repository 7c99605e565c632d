"""Who may call: tokens at a real Envoy, and a service that records what reached it."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from svcgen.errors import SvcgenError
from svcgen.gateway.envoy.files import ComposePlacement, edge_files, static_twin
from svcgen.gateway.issuers import Issuer, development_issuer
from svcgen.gateway.tokens import ensure_key, rotate_key, sign
from svcgen.run.local.envoy_program import find_envoy
from svcgen.run.validation import ask_program
from tests.support.envoy_process import Gateway, problem, registration, until
from tests.support.raw_http import exchange, exchange_http2
from tests.support.tokens import (
    EC_KEY,
    IDP,
    OTHER,
    OTHER_KEY,
    RSA_KEY,
    other,
    pem,
    public,
    token,
    token_with_text_exp,
    unsafe,
    with_header,
)
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")

SCOPES = ["orders:read", "orders:write"]
READ = {"jwt": "idp", "scopes": ["orders:read"]}
REGISTRATION = registration(
    "orders",
    open={"path": "/open"},
    token={"path": "/token", "auth": {"jwt": "idp"}},
    read={"path": "/read", "auth": READ},
    all={"path": "/all", "auth": {"jwt": "idp", "scopes": SCOPES}},
    other={"path": "/other", "auth": {"jwt": "other", "scopes": ["orders:read"]}},
    either={"path": "/either", "auth": {"any": [READ, {"jwt": "other"}]}},
    dev={"path": "/dev", "auth": {"jwt": "dev"}},
)


@pytest.fixture(scope="module")
def orders() -> Upstream:
    return Upstream("orders")


@pytest.fixture(scope="module")
def shop(orders: Upstream) -> Iterator[Gateway]:
    gateway = Gateway()
    gateway.issuers = (IDP, OTHER)
    try:
        gateway.use({"orders": [orders.port]}, [REGISTRATION])
        until(lambda: gateway.healthy("orders"))
        yield gateway
    finally:
        gateway.end()


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


NOW = time.time()
# What is sent, the status and words of the response.
ATTACKS: dict[str, tuple[str, Callable[[], list[tuple[str, str]]], int, str]] = {
    name: (path, lambda make=make: [("authorization", f"Bearer {make()}")], status, words)
    for name, path, make, status, words in [
        ("none", "/token", lambda: unsafe({"alg": "none"}), 401, "not valid"),
        ("None", "/token", lambda: unsafe({"alg": "None", "kid": "e1"}), 401, "not valid"),
        (
            "none-dotless",
            "/token",
            lambda: unsafe({"alg": "none"}).rstrip("."),
            401,
            "not valid",
        ),
        (
            "hs256-pem",
            "/token",
            lambda: unsafe({"alg": "HS256", "kid": "r1"}, pem(RSA_KEY)),
            401,
            "wrong signature",
        ),
        (
            "hs256-jwk",
            "/token",
            lambda: unsafe({"alg": "HS256"}, json.dumps(public(EC_KEY, "e1")).encode()),
            401,
            "wrong signature",
        ),
        ("expired", "/token", lambda: token(exp=int(NOW) - 60), 401, "has expired"),
        ("early", "/token", lambda: token(nbf=int(NOW) + 3600), 401, "not valid yet"),
        ("no-exp", "/token", lambda: token(exp=None), 401, "no exp"),
        ("exp-text", "/token", token_with_text_exp, 401, ""),
        ("audience", "/token", lambda: token(aud="bank"), 401, "another audience"),
        ("no-audience", "/token", lambda: token(aud=None), 401, "another audience"),
        (
            "issuer",
            "/token",
            lambda: token(iss="https://evil.example"),
            401,
            "not from the issuer",
        ),
        ("no-issuer", "/token", lambda: token(iss=None), 401, "not from the issuer"),
        ("kid-unknown", "/token", lambda: token(kid="nobody"), 401, "No key"),
        ("kid-path", "/token", lambda: token(kid="../../etc/passwd"), 401, "No key"),
        ("kid-other-key", "/token", lambda: token(RSA_KEY, kid="e1"), 401, ""),
        ("stranger", "/token", lambda: token(OTHER_KEY), 401, "signature"),
        ("stranger-kid", "/token", lambda: token(OTHER_KEY, kid="o1"), 401, "No key"),
        (
            "other-issuer",
            "/token",
            lambda: token(OTHER_KEY, kid="o1", iss=OTHER.issuer),
            401,
            "not from the issuer",
        ),
        ("jku", "/token", lambda: with_header(jku="http://127.0.0.1:1/keys"), 401, "signature"),
        ("jwk", "/token", lambda: with_header(jwk=public(OTHER_KEY, "e1")), 401, "signature"),
        ("huge", "/token", lambda: token(more="x" * 60_000), 431, "too large"),
        ("cut", "/token", lambda: token()[:-10], 401, ""),
        ("garbage", "/token", lambda: "a.b.c", 401, "not valid"),
        ("empty", "/token", lambda: "", 401, ""),
        ("missing-scope", "/read", lambda: token(scope="orders:write"), 403, "lacks a scope"),
        ("no-scope", "/read", token, 403, "lacks a scope"),
        ("one-of-two", "/all", lambda: token(scope="orders:read"), 403, "lacks a scope"),
        (
            "longer-scope",
            "/read",
            lambda: token(scope="orders:read2 xorders:read"),
            403,
            "lacks",
        ),
        ("scope-object", "/read", lambda: token(scope={"orders:read": True}), 403, "lacks"),
        ("wrong-claim", "/other", lambda: other(scope="orders:read"), 403, "lacks a scope"),
        (
            "either-without",
            "/either",
            lambda: token(scope="orders:write"),
            403,
            "lacks a scope",
        ),
        ("untrusted", "/dev", token, 401, "does not trust"),
        ("newline", "/token", lambda: token(sub="ann\r\nx-auth-scopes: admin"), 403, ""),
        ("comma", "/token", lambda: f"{token()},x", 401, ""),
        ("two-in-one", "/token", lambda: f"{token()} {token()}", 401, ""),
    ]
} | {
    "missing": ("/token", list, 401, "needs a token"),
    "missing-either": ("/either", list, 401, "needs a token"),
    "query": (f"/token?access_token={token()}", list, 401, "needs a token"),
    "cookie": ("/token", lambda: [("cookie", f"access_token={token()}")], 401, "needs a token"),
    "basic": ("/token", lambda: [("authorization", "Basic YTpi")], 401, ""),
    "after-basic": (
        "/token",
        lambda: [("authorization", f"Basic a, Bearer {token()}")],
        403,
        "",
    ),
    "shouted": ("/token", lambda: [("authorization", f"BEARER {token()}")], 401, ""),
    "two-headers": ("/token", lambda: [("authorization", f"Bearer {token()}")] * 2, 401, ""),
    "bad-first": (
        "/token",
        lambda: [("authorization", "Bearer a"), ("authorization", f"Bearer {token()}")],
        401,
        "",
    ),
    "basic-first": (
        "/token",
        lambda: [("authorization", "Basic a"), ("authorization", f"Bearer {token()}")],
        403,
        "",
    ),
    "forged-subject": ("/token", lambda: [("x-auth-subject", "root")], 401, "needs a token"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_request_without_the_right_token_goes_nowhere(
    shop: Gateway, orders: Upstream, attack: str
) -> None:
    path, headers, status, words = ATTACKS[attack]
    before = list(orders.seen)
    (reply,) = exchange(shop.port, [("GET", path)], headers())
    assert reply.status == status, reply
    if status == 431:
        return
    assert reply.headers["content-type"] == "application/problem+json"
    said = json.loads(reply.body)
    assert words in said["detail"]
    assert said["status"] == status
    assert reply.headers["www-authenticate"].startswith("Bearer")
    second = exchange_http2(shop.port, ("GET", path), headers())
    assert second is None or second.status == status
    assert orders.seen == before


@pytest.mark.parametrize(
    ("path", "text", "subject", "scopes"),
    [
        ("/token", token, "ann", None),
        ("/token", lambda: token(RSA_KEY, "r1"), "ann", None),
        ("/token", lambda: token(kid=None), "ann", None),
        ("/token", lambda: token(aud=["bank", "shop"]), "ann", None),
        ("/token", lambda: token(exp=int(time.time()) - 5), "ann", None),  # clocks differ
        ("/read", lambda: token(scope="x orders:read"), "ann", "x orders:read"),
        (
            "/all",
            lambda: token(scope="orders:write orders:read"),
            "ann",
            "orders:write orders:read",
        ),
        ("/other", lambda: other(scp="orders:read"), "bob@example.com", "orders:read"),
        ("/either", other, "bob@example.com", None),
        ("/either", lambda: token(scope="orders:read"), "ann", "orders:read"),
    ],
)
def test_the_right_token_reaches_the_service_with_who_it_is(
    shop: Gateway, path: str, text: Callable[[], str], subject: str, scopes: str | None
) -> None:
    """The caller's own x-auth-* never count, and the token itself is passed on."""
    sent = text()
    forged = [("x-auth-subject", "root"), ("X-Auth-Subject", "root"), ("x-auth-scopes", "admin")]
    authorization = ("authorization", f"Bearer {sent}")
    (reply,) = exchange(shop.port, [("GET", path)], [*forged, authorization, ("x-auth-x", "y")])
    assert reply.status == 200, reply
    seen = json.loads(reply.body)["headers"]
    assert {name: seen.get(name) for name in ("x-auth-subject", "x-auth-scopes", "x-auth-x")} == {
        "x-auth-subject": subject,
        "x-auth-scopes": scopes,
        "x-auth-x": None,
    }
    assert seen["authorization"] == f"Bearer {sent}"


def test_a_list_of_scopes_counts(shop: Gateway) -> None:
    assert shop.send("/other", headers=bearer(other(scp=SCOPES))).status == 200
    problem(shop.send("/other", headers=bearer(other(scp=["orders:write"]))), 403)


def test_the_scheme_may_be_lower_case(shop: Gateway) -> None:
    assert shop.send("/token", headers={"authorization": f"bearer {token()}"}).status == 200


@pytest.mark.parametrize("text", ["a.b.c", "", unsafe({"alg": "none"})], ids=["bad", "", "none"])
def test_an_open_route_looks_at_no_token(shop: Gateway, text: str) -> None:
    answer = shop.send("/open", headers=bearer(text) | {"x-auth-subject": "root"})
    assert answer.status == 200
    assert "x-auth-subject" not in answer.json["headers"]


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "DELETE"])
def test_every_method_needs_the_token(shop: Gateway, orders: Upstream, method: str) -> None:
    """An OPTIONS that is a preflight (Fetch standard) has no token either."""
    before = list(orders.seen)
    preflight = {"origin": "https://a.example", "access-control-request-method": "GET"}
    assert shop.send("/token", method).status == 401
    assert shop.send("/token", method, headers=preflight).status == 401
    assert orders.seen == before
    assert shop.send("/token", method, headers=bearer(token())).status == 200


def test_issuers_and_keys_change_while_it_runs(tmp_path: Path) -> None:
    """Rotation takes no restart, and a file that Envoy refuses changes nothing."""
    orders, gateway = Upstream("orders"), Gateway()
    ports, routes = {"orders": [orders.port]}, [REGISTRATION]
    try:
        gateway.use(ports, routes)
        until(lambda: gateway.healthy("orders"))
        problem(gateway.send("/token", headers=bearer(token())), 401)
        ensure_key(tmp_path)
        first = sign(tmp_path, "ann").text
        gateway.issuers = (IDP, *development_issuer(tmp_path))
        gateway.use(ports, routes)
        assert gateway.send("/token", headers=bearer(token())).status == 200
        assert gateway.send("/dev", headers=bearer(first)).status == 200
        problem(gateway.send("/token", headers=bearer(first)), 401)
        rotate_key(tmp_path)
        gateway.issuers = (IDP, *development_issuer(tmp_path))
        gateway.use(ports, routes)
        second = sign(tmp_path, "ann").text
        assert gateway.send("/dev", headers=bearer(second)).status == 200
        assert gateway.send("/dev", headers=bearer(first)).status == 200
        rotate_key(tmp_path)
        gateway.issuers = (IDP, *development_issuer(tmp_path))
        gateway.use(ports, routes)
        problem(gateway.send("/dev", headers=bearer(first)), 401)
        assert gateway.send("/dev", headers=bearer(second)).status == 200
        gateway.issuers = (Issuer("idp", IDP.issuer, ("shop",), '{"keys": []}'),)
        with pytest.raises(SvcgenError, match=r"refuses access/jwt\.json"):
            gateway.use(ports, routes)
        assert gateway.send("/token", headers=bearer(token())).status == 200
    finally:
        gateway.end()


def test_keys_come_from_the_issuers_address() -> None:
    """Over http on loopback, where nobody is on the way; an https address is checked by Envoy."""
    keys: list[dict[str, Any]] = []

    class Keys(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = json.dumps({"keys": keys}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    secret = b"a-secret-that-an-issuer-publishes"
    shared = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    keys.extend([public(EC_KEY, "e1"), {"kty": "oct", "kid": "s1", "k": shared}])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/keys"
    orders, gateway = Upstream("orders"), Gateway()
    gateway.issuers = (Issuer("idp", IDP.issuer, ("shop",), url=url),)
    try:
        gateway.use({"orders": [orders.port]}, [REGISTRATION])
        until(lambda: gateway.send("/token", headers=bearer(token())).status == 200)
        problem(gateway.send("/token", headers=bearer(token(OTHER_KEY))), 401)
        symmetric = unsafe({"alg": "HS256", "kid": "s1"}, secret)
        problem(gateway.send("/token", headers=bearer(symmetric)), 403)
    finally:
        gateway.end()
        server.shutdown()
        server.server_close()


def test_envoy_accepts_every_kind_of_issuer() -> None:
    issuers = (IDP, OTHER, Issuer("far", "far", ("a",), url="https://id.example/keys?x=1"))
    for known in ((), issuers[:1], issuers):
        files = edge_files(Gateway().table, [], ComposePlacement(), issuers=known)
        assert ask_program(find_envoy(), static_twin(files)) == ""
