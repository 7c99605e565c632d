"""An application that svcgen did not make behind a real Envoy: `external` with routes."""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from svcgen.gateway.envoy.external import external_upstream
from svcgen.gateway.envoy.files import ComposePlacement, LocalPlacement, edge_files, static_twin
from svcgen.gateway.envoy.replies import ADDRESS
from svcgen.gateway.envoy.xds import extension
from svcgen.gateway.external import External, read_external
from svcgen.gateway.registration import Registration
from svcgen.gateway.routes import route_table
from svcgen.run.local.envoy_program import find_envoy
from svcgen.run.validation import ask_program
from svcgen.settings import ExternalSettings
from tests.support.certificates import Authority, authority
from tests.support.envoy_process import (
    SETTINGS,
    Gateway,
    Ports,
    free_port,
    problem,
    until,
)
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")

GUARDED = {
    "metadata": "http://169.254.169.254",
    "mapped": "http://[::ffff:169.254.169.254]",
    "alibaba": "http://100.100.100.200",
    "unspecified": "http://0.0.0.0",
}
# What the names of a hostile DNS zone resolve to.
NAMES = {"metadata.example": "169.254.169.254", "gateway.example": "127.0.0.1"}


def external(
    name: str, url: str, path: str = "", root: Path = Path(), *, stream: bool = False, **keys: Any
) -> External:
    """Read an entry of `external` without the checks of its URL."""
    routes = {"all": {"path": path or f"/{name}", "auth": "none", "stream": stream}}
    settings = ExternalSettings.model_construct(url=url, routes=routes, **keys)
    found = read_external(name, settings, root)
    assert found
    return found


class EdgeOfExternals(Gateway):
    """A gateway whose names with `-name` are resolved by a server of the tests."""

    def __init__(self) -> None:
        super().__init__()
        self.dns = DnsServer()

    def files(self, ports: Ports, registrations: Sequence[Registration] = ()) -> dict[str, str]:
        files = super().files(ports, registrations)
        clusters = json.loads(files["cds.json"])
        for cluster in clusters["resources"]:
            if cluster["name"].endswith("-name"):
                cluster["typed_dns_resolver_config"] = resolver(self.dns.server_address[1])
        return files | {"cds.json": json.dumps(clusters)}

    def end(self) -> None:
        self.dns.shutdown()
        self.dns.server_close()
        super().end()


def resolver(port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    kind = "network.dns_resolver.cares.v3.CaresDnsResolverConfig"
    return extension("envoy.network.dns_resolver.cares", kind, resolvers=[address])


class DnsServer(socketserver.ThreadingUDPServer):
    """Resolves NAMES to their IPv4 addresses, and has no other record (RFC 1035, section 4)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), DnsQuery)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class DnsQuery(socketserver.BaseRequestHandler):
    """One query: its name is after the header, in labels that begin with their length."""

    def handle(self) -> None:
        query, server = self.request
        end = query.index(b"\0", 12) + 5
        asked, kind = query[12:end], query[end - 4 : end - 2]
        labels = [name for name in NAMES if _labels(name) == asked[:-5]]
        known = [NAMES[name] for name in labels if kind == b"\0\1"]
        header = query[:2] + b"\x81\x80\0\1" + bytes([0, len(known)]) + b"\0\0\0\0"
        records = [b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(ip) for ip in known]
        server.sendto(header + asked + b"".join(records), self.client_address)


def _labels(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))


class HotReload(socketserver.ThreadingTCPServer):
    """Accepts each upgrade and repeats what it gets, as a development server with WebSocket."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Upgraded)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Upgraded(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(4096)
        answer = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )
        self.request.sendall(answer)
        while data := self.request.recv(4096):
            self.request.sendall(data)


UPGRADE = (
    "GET {} HTTP/1.1\r\nHost: shop:8000\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class TlsUpstream(Upstream):
    """The same small server with TLS; `names` has what its clients ask for (SNI)."""

    def __init__(self, certificate: Path) -> None:
        super().__init__("legacy")
        self.names: list[str | None] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("trusted") / "ca")


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("unknown") / "ca")


@pytest.fixture(scope="module")
def site() -> Upstream:
    return Upstream("site")


@pytest.fixture(scope="module")
def sick() -> Upstream:
    return Upstream("sick")


@pytest.fixture(scope="module")
def modern() -> Upstream:
    """Return a server that listens on the IPv6 loopback address alone, as some of Node.js do."""

    class OnIpv6(Upstream):
        address_family = socket.AF_INET6

    return OnIpv6("modern", "::1")


@pytest.fixture(scope="module")
def secure(trusted: Authority) -> TlsUpstream:
    return TlsUpstream(trusted.issue("localhost", "*.legacy.test", "127.0.0.1"))


@pytest.fixture(scope="module")
def edge(
    site: Upstream,
    sick: Upstream,
    modern: Upstream,
    secure: TlsUpstream,
    trusted: Authority,
    unknown: Authority,
) -> Iterator[Gateway]:
    url = f"https://localhost:{secure.port}"
    ca = {"ca": str(trusted.file)}
    gateway, orders = EdgeOfExternals(), Upstream("orders")
    gateway.ca_file = str(trusted.file)
    externals = [
        external("site", f"http://localhost:{site.port}", "/"),
        external("live", f"http://localhost:{HotReload().server_address[1]}", stream=True),
        external("dead", f"http://127.0.0.1:{free_port()}"),
        external(
            "sick", f"http://127.0.0.1:{sick.port}", health={"http": "/readyz", "interval": "100ms"}
        ),
        external("ipv6", f"http://localhost:{modern.port}"),
        external(
            "asked", f"http://localhost:{modern.port}", health={"http": "/x", "interval": "100ms"}
        ),
        external("verified", url, tls=ca),
        external("system", url),
        external("wildcard", url, tls={**ca, "sni": "a.legacy.test"}),
        external("address", f"https://127.0.0.1:{secure.port}", tls=ca),
        external("another-ca", url, tls={"ca": str(unknown.file)}),
        external("another-name", url, tls={**ca, "sni": "legacy.test"}),
        external("unverified", url, tls={"verify": False, "sni": "legacy.test"}),
        *(external(name.partition(".")[0] + "-name", f"http://{name}") for name in NAMES),
        *(external(name, guarded) for name, guarded in GUARDED.items()),
    ]
    try:
        gateway.use({"orders": [orders.port]}, externals)
        until(lambda: gateway.healthy("orders") and gateway.send("/sick").status == 200)
        yield gateway
    finally:
        gateway.end()


def test_a_front_end_gets_what_no_service_claims(edge: Gateway, site: Upstream) -> None:
    for path in ("/", "/index.html", "/v1/unknown", "/v1/ordersx"):
        assert edge.send(path).json["service"] == "site", path
    assert edge.send("/v1/orders/7").json["service"] == "orders"
    assert edge.send("/readyz").json == {"status": "ready"}
    assert "GET /readyz" not in site.seen


def test_the_application_sees_its_own_host_and_what_the_client_asked_for(
    edge: Gateway, site: Upstream
) -> None:
    asked = {"host": "shop.example:8000", "x-forwarded-host": "evil", "x-auth-subject": "me"}
    asked |= {"x-forwarded-proto": "https"}
    headers = edge.send("/", headers=asked).json["headers"]
    assert headers["host"] == f"localhost:{site.port}"
    assert headers["x-forwarded-host"] == "shop.example:8000"
    assert headers["x-forwarded-proto"] == "http"
    assert "x-auth-subject" not in headers
    of_a_service = edge.send("/v1/orders", headers=asked).json["headers"]
    assert of_a_service["host"] == "shop.example:8000"
    assert "x-forwarded-host" not in of_a_service


@pytest.mark.parametrize("route", ["ipv6", "asked"])
def test_localhost_is_either_of_both_loopback_addresses(edge: Gateway, route: str) -> None:
    until(lambda: edge.send(f"/{route}").status == 200)
    answers = [edge.send(f"/{route}") for _ in range(10)]
    assert {(each.status, each.json["service"]) for each in answers} == {(200, "modern")}


def test_a_dead_application_is_503(edge: Gateway) -> None:
    problem(edge.send("/dead"), 503)
    assert edge.send("/v1/orders").status == 200


def test_one_that_says_that_it_is_not_ready_gets_nothing(edge: Gateway, sick: Upstream) -> None:
    sick.ready = False
    until(lambda: edge.send("/sick").status == 503)
    before = len(sick.seen)
    problem(edge.send("/sick"), 503)
    assert len(sick.seen) == before
    sick.ready = True
    until(lambda: edge.send("/sick").status == 200)


@pytest.mark.parametrize(
    ("route", "name"),
    [
        ("verified", "localhost"),
        ("system", "localhost"),
        ("wildcard", "a.legacy.test"),
        ("address", None),
        ("unverified", "legacy.test"),
    ],
)
def test_a_certificate_that_fits_is_accepted(
    edge: Gateway, secure: TlsUpstream, route: str, name: str | None
) -> None:
    secure.names.clear()
    answer = edge.send(f"/{route}")
    assert (answer.status, answer.json["service"]) == (200, "legacy")
    assert secure.names[:1] in ([name], [])  # none: an open connection was used again
    host = "127.0.0.1" if route == "address" else "localhost"
    assert answer.json["headers"]["host"] == f"{host}:{secure.port}"


@pytest.mark.parametrize("route", ["another-ca", "another-name"])
def test_a_certificate_that_does_not_fit_is_refused(
    edge: Gateway, secure: TlsUpstream, route: str
) -> None:
    before = len(secure.seen)
    problem(edge.send(f"/{route}"), 503)
    assert len(secure.seen) == before


@pytest.mark.parametrize("route", [*GUARDED, "metadata-name", "gateway-name"])
def test_an_address_that_no_application_has_is_refused(edge: Gateway, route: str) -> None:
    refused = edge.send(f"/{route}")
    problem(refused, 403)
    assert refused.json["detail"] == ADDRESS
    assert "www-authenticate" not in refused.headers


def test_envoy_takes_every_entry_in_both_engines(trusted: Authority) -> None:
    hosts = ("localhost:1", "127.0.0.1", "[::1]:9", "10.0.0.7:80", "a.example", "b.example:8443")
    tls: tuple[dict[str, Any] | None, ...] = (
        *(None, {}, {"verify": False}, {"sni": "x.example"}, {"ca": str(trusted.file)}),
    )
    health = {"http": "/readyz?a=%20", "interval": "1m"}
    externals = [
        external(f"e{number}", url, health=(number % 2 and health) or None, tls=options)
        for number, (url, options) in enumerate(
            [
                *((f"http://{host}", None) for host in hosts),
                *((f"https://{host}", options) for host in hosts for options in tls),
            ]
        )
    ]
    table = route_table(externals, SETTINGS)
    upstreams = [external_upstream(each, 2_000) for each in externals]
    local = LocalPlacement(8000, Path("/gw"), Path("/gw/admin"), ca_file=str(trusted.file))
    for placement in (local, ComposePlacement()):
        twin = static_twin(edge_files(table, upstreams, placement))
        assert len(json.loads(twin)["static_resources"]["clusters"]) == 1 + len(externals)
        assert ask_program(find_envoy(), twin) == ""


@pytest.mark.parametrize(
    ("path", "first"), [("/live", b"HTTP/1.1 101 "), ("/site", b"HTTP/1.1 403 ")]
)
def test_hot_reload_passes_on_a_stream_alone(edge: Gateway, path: str, first: bytes) -> None:
    with socket.create_connection(("127.0.0.1", edge.port), timeout=10) as client:
        client.sendall(UPGRADE.format(path).encode())
        assert client.recv(4096).startswith(first)
        if path == "/live":
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
