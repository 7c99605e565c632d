"""Paths and methods in Envoy's hands: `svcgen routes PATH` says what the running gateway does."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from svcgen.gateway.routes import Explanation, explain
from tests.support.envoy_process import Gateway, Ports, registration
from tests.support.raw_http import Reply, exchange, exchange_http2
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.needs("local")

CASES = json.loads((REPOSITORY / "tests" / "data" / "paths.json").read_text(encoding="utf-8"))
FLEET = (
    registration(
        "echo",
        echo={"path": "/v1/echo"},
        admin={"path": "/v1/echo/admin", "expose": "internal"},
        health={"exact": "/v1/echo/state", "methods": ["GET"], "expose": "internal"},
    ),
    registration("beta", beta={"path": "/v1/beta", "methods": ["GET", "POST"]}),
)
# Parts of paths; those of ODD are what servers read in different ways, and some of them are 400.
PLAIN = (
    *("v1", "echo", "admin", "beta", "state", "%65cho", "ech%6F", "%61dmin", "a", "readyz", "docs"),
    *(
        ".",
        "..",
        "...",
        "%2e",
        "%2E",
        ".%2e",
        "%2e.",
        "%2e%2E",
        ";",
        ";x=1",
        "%7f",
        "%c0%ae",
        "%20",
    ),
    *("\\", "~", "%7e", "{", "|", "}", "^", "`", '"', "<", ">", "*", "!$&'()", "+,", ":", "@", "="),
)
ODD = (
    *(".;", "..;", "..;x", ".;a=b", "%2e%2e;b", "..%3b", "..%3B", "%3b", "%", "%2", "%a", "%zz"),
    *("%2f", "%5C", "%00", "%2%30", "%2%65", "%%32e", "%%", "%25", "%252e", "%25%32%65", "%2%66"),
)
JOINTS = ("/", "/", "/", "/", "/", "//", "\\", "", "?", "///")
METHODS = ("GET", "GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE", "FOO")


class Mirror(Gateway):
    """A gateway whose routes answer themselves: with their service, and the path it would get."""

    def files(self, ports: Ports, registrations: Any = ()) -> dict[str, str]:
        files = super().files(ports, registrations)
        routes = json.loads(files["rds.json"])
        for route in routes["resources"][0]["virtual_hosts"][0]["routes"]:
            if action := route.pop("route", None):
                route["direct_response"] = {"status": 299}
                shown = {"x-service": action["cluster"], "x-path": "%REQ(:PATH)%"}
                route["response_headers_to_add"] = [
                    {"header": {"key": key, "value": value}} for key, value in shown.items()
                ]
        return files | {"rds.json": json.dumps(routes)}


@pytest.fixture(scope="module")
def mirror() -> Iterator[Gateway]:
    gateway = Mirror()
    try:
        gateway.use({each.service: [] for each in FLEET}, FLEET)
        yield gateway
    finally:
        gateway.end()


def got(reply: Reply) -> tuple[Any, ...]:
    """Return what the gateway did: its own status, or the service and the path without query."""
    if reply.status != 299:
        return (reply.status, reply.headers.get("allow", ""))
    path = reply.headers["x-path"]
    return (reply.headers["x-service"], path.partition("?")[0])


def expected(explained: Explanation) -> tuple[Any, ...]:
    if explained.status:
        return (explained.status, ", ".join(explained.allow))
    assert explained.route
    return (explained.route.service, explained.path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['method']} {case['path']!a}")
def test_routes_and_envoy_agree_on_a_case(mirror: Gateway, case: dict[str, Any]) -> None:
    request = (case["method"], case["path"])
    explained = explain(mirror.table, case["path"], case["method"])
    (reply,) = exchange(mirror.port, [request])
    assert got(reply)[0] == case["must"]
    assert got(reply) == expected(explained)
    second = exchange_http2(mirror.port, request)
    if second is None:  # HTTP/2 has no 400 for what is no request at all
        assert case["must"] == 400
    elif case["path"].isascii():
        assert got(second) == expected(explained)
    else:  # docs/registration.md
        assert got(second) == expected(explain(mirror.table, quote(case["path"])))


def random_target(chance: random.Random) -> str:
    pieces = [chance.choice(PLAIN) for _ in range(chance.randint(1, 6))]
    if chance.random() < 0.2:
        pieces.insert(chance.randint(0, len(pieces)), chance.choice(ODD))
    parts = [chance.choice(JOINTS) + piece for piece in pieces]
    start = chance.choice(("/", "/v1/echo", "/v1/echo/admin", "/v1/beta", "/v1"))
    return start + "".join(parts)


def test_routes_and_envoy_agree_on_random_paths(mirror: Gateway) -> None:
    seed = int(os.environ.get("SVCGEN_SEED", random.randrange(1 << 32)))
    chance = random.Random(seed)
    requests = [(chance.choice(METHODS), random_target(chance)) for _ in range(12_000)]
    replies = exchange(mirror.port, requests)
    for (method, target), reply in zip(requests, replies, strict=True):
        explained = explain(mirror.table, target, method)
        assert got(reply) == expected(explained), (seed, method, target)


def test_every_byte_of_a_path(mirror: Gateway) -> None:
    """Each byte, raw and escaped, but not blanks: HTTP/1.1 ends a target there."""
    raw = [chr(byte) for byte in range(256) if chr(byte) not in "\t\n\v\f\r "]
    escaped = [f"%{byte:02x}" for byte in range(256)]
    for text in (*raw, *escaped):
        for target in (f"/v1/echo/{text}", f"/v1/echo/{text}{text}/../beta", f"/v1/echo?{text}"):
            (reply,) = exchange(mirror.port, [("GET", target)])
            assert got(reply) == expected(explain(mirror.table, target)), target
