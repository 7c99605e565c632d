"""HTTPS at the edge, with a real Envoy: who is refused, renewal, redirects, response headers."""

from __future__ import annotations

import datetime as dt
import hashlib
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from svcgen.certificates import (
    CertificateError,
    Pair,
    fingerprint,
    make_ca,
    make_certificate,
    require_pair,
)
from svcgen.errors import SvcgenError
from svcgen.gateway.admin import acknowledged, read_stats
from svcgen.gateway.apply import RefusedFileError, replace_text
from svcgen.gateway.envoy.tls import SECRET_FILE, secret
from svcgen.gateway.tls import MOUNTED, publish
from svcgen.gateway_settings import GatewaySettings
from tests.support.envoy_process import Gateway, free_port, send, until
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")

HOSTS = ("localhost", "127.0.0.1")
CA = make_ca("test")
STRICT = "strict-transport-security"
DEFAULTS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}


class Secure(Gateway):
    """A gateway with a certificate."""

    def __init__(self) -> None:
        super().__init__()
        self.http_port = free_port()
        self.settings = GatewaySettings.model_validate(
            {
                "tls": {"certificate": "cert.pem", "key": "key.pem"},
                "http_port": self.http_port,
                "port": self.port,
            }
        )

    def give(self, pair: Pair) -> bool:
        """Put a certificate where svcgen.yaml names it, as its owner does, and publish it."""
        (self.folder / "cert.pem").write_text(pair.certificate)
        (self.folder / "key.pem").write_text(pair.key)
        running = self._process is not None
        wait = acknowledged(lambda: read_stats(self.admin)) if running else lambda _name: None
        return publish(self.folder, self.settings, wait)

    def refuses(self, text: str) -> bool:
        """Give the running Envoy another file, and report whether it refuses it."""
        wait = acknowledged(lambda: read_stats(self.admin))
        replace_text(self.folder / MOUNTED / SECRET_FILE, text)
        try:
            wait(SECRET_FILE)
        except RefusedFileError:
            return True
        return False

    @contextmanager
    def connect(
        self, context: ssl.SSLContext | None = None, host: str = HOSTS[0]
    ) -> Iterator[Client]:
        with closing(Client(host, self.port, context=context or trusting())) as client:
            client.connect()
            yield client

    def get(self, path: str, host: str = HOSTS[0]) -> dict[str, str]:
        """Return the headers of a response over HTTPS."""
        with self.connect(host=host) as client:
            return client.get(path)


class Client(http.client.HTTPSConnection):
    sock: ssl.SSLSocket

    def get(self, path: str) -> dict[str, str]:
        self.request("GET", path)
        answer = self.getresponse()
        answer.read()
        return {"status": str(answer.status), **{k.lower(): v for k, v in answer.getheaders()}}

    @property
    def shown(self) -> str:
        """The fingerprint of the certificate that the server has shown."""
        return hashlib.sha256(self.sock.getpeercert(binary_form=True) or b"").hexdigest()


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=CA.certificate)


@pytest.fixture(scope="module")
def upstream() -> Upstream:
    return Upstream("orders")


@pytest.fixture(scope="module")
def edge(upstream: Upstream) -> Iterator[Secure]:
    gateway = Secure()
    try:
        gateway.give(make_certificate(CA, HOSTS))
        gateway.use({"orders": [upstream.port]})
        until(lambda: gateway.healthy("orders"))
        yield gateway
    finally:
        gateway.end()


def test_http2_and_http1_by_alpn(edge: Secure) -> None:
    for http2, version in ((True, "HTTP/2"), (False, "HTTP/1.1")):
        with httpx.Client(http2=http2, verify=trusting()) as client:
            answer = client.get(f"https://localhost:{edge.port}/v1/orders")
        assert (answer.status_code, answer.http_version) == (200, version)
        assert answer.json()["headers"]["x-forwarded-proto"] == "https"


@pytest.mark.parametrize(
    ("version", "ciphers", "alert"),
    [
        (ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0", "PROTOCOL_VERSION"),
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", "PROTOCOL_VERSION"),
        (ssl.TLSVersion.TLSv1_2, "kRSA:@SECLEVEL=0", "HANDSHAKE_FAILURE"),  # no forward secrecy
        (ssl.TLSVersion.TLSv1_2, "aNULL:@SECLEVEL=0", "HANDSHAKE_FAILURE"),  # no certificate
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_and_weak_ciphers_are_refused(
    edge: Secure, version: ssl.TLSVersion, ciphers: str, alert: str
) -> None:
    context = trusting()
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(ciphers)
    with pytest.raises(ssl.SSLError, match=alert), edge.connect(context):
        pass


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /v1/orders HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\nGET /v1/orders HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
def test_what_is_not_tls_is_refused(edge: Secure, upstream: Upstream, sent: bytes) -> None:
    before = len(upstream.seen)
    with socket.create_connection(("127.0.0.1", edge.port), timeout=30) as connection:
        connection.sendall(sent)
        try:
            received = connection.recv(4096)
        except ConnectionResetError:
            received = b""
    assert not received.startswith((b"HTTP", b"\0\0"))
    assert len(upstream.seen) == before


def test_http_is_redirected(edge: Secure) -> None:
    for method in ("GET", "POST"):
        answer = send(edge.http_port, "/v1/orders?q=1", method, headers={"host": "localhost"})
        assert answer.status == 308
        assert answer.headers["location"] == f"https://localhost:{edge.port}/v1/orders?q=1"
        assert (answer.text, STRICT in answer.headers) == ("", False)
    assert send(edge.http_port, "/v1/%2e%2e%2fx").status == 400


def test_a_renewed_certificate_is_shown_to_new_connections(edge: Secure) -> None:
    new = make_certificate(CA, HOSTS)
    listeners = read_stats(edge.admin)["listener_manager.listener_modified"]
    with edge.connect() as first:
        before = first.shown
        assert edge.give(new)
        assert not edge.give(new)
        with edge.connect() as second:
            assert second.shown == fingerprint(new.certificate) != before
            assert second.get("/v1/orders")["status"] == "200"
        assert first.get("/v1/orders")["status"] == "200"
        assert first.shown == before
    assert read_stats(edge.admin)["listener_manager.listener_modified"] == listeners


KEYS: dict[str, Callable[[], Any]] = {
    "RSA 2048": lambda: rsa.generate_private_key(65537, 2048),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "RSA 1024": lambda: rsa.generate_private_key(65537, 1024),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.parametrize("kind", KEYS)
def test_envoy_takes_every_key_that_svcgen_takes(edge: Secure, kind: str) -> None:
    pair = self_signed(KEYS[kind]())
    secret_file = edge.folder / MOUNTED / SECRET_FILE
    before = secret_file.read_text()
    refused_by_envoy = edge.refuses(secret(pair))
    assert not edge.refuses(before)
    try:
        require_pair(pair)
        refused = False
    except CertificateError:
        refused = True
    assert refused == (kind in {"RSA 1024", "secp256k1", "Ed25519"})
    assert refused or not refused_by_envoy


def self_signed(key: Any) -> Pair:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return Pair(
        certificate.public_bytes(pem).decode(), key.private_bytes(pem, form, plain).decode()
    )


def test_one_file_can_have_both(edge: Secure) -> None:
    made = make_certificate(CA, HOSTS)
    both = made.key + made.certificate + CA.certificate
    assert edge.give(Pair(both, both))
    with edge.connect() as client:
        assert client.shown == fingerprint(made.certificate)


def test_the_key_is_closed_to_other_users(edge: Secure) -> None:
    state = edge.folder / MOUNTED.partition("/")[0]
    assert state.stat().st_mode & 0o777 == 0o700
    # The container's user reads it through a mount.
    assert (edge.folder / MOUNTED / SECRET_FILE).stat().st_mode & 0o777 == 0o644


def test_security_headers_are_added(edge: Secure) -> None:
    for path, status in (("/v1/orders", "200"), ("/v1/orders?status=500", "500"), ("/", "404")):
        found = edge.get(path, "127.0.0.1")
        assert found["status"] == status
        assert {name: found.get(name) for name in DEFAULTS} == DEFAULTS
        assert found[STRICT] == "max-age=31536000"


def test_a_header_of_the_service_stays(edge: Secure) -> None:
    found = edge.get("/v1/orders?header=x-frame-options:SAMEORIGIN")
    assert found["x-frame-options"] == "SAMEORIGIN"
    assert found["x-content-type-options"] == "nosniff"


def test_localhost_is_not_bound_to_https(edge: Secure) -> None:
    assert STRICT not in edge.get("/v1/orders", "localhost")


def test_headers_of_svcgen_yaml_reach_open_connections(edge: Secure, upstream: Upstream) -> None:
    literal = '%REQ(host)% "a" \\ {b} %'  # Envoy's substitutions are not svcgen.yaml's
    given = {"x-frame-options": None, "referrer-policy": "no", "x-team": literal, STRICT: "m=1"}
    settings = edge.settings
    with edge.connect() as client:
        try:
            edge.settings = settings.model_copy(update={"response_headers": given})
            edge.use({"orders": [upstream.port]})
            found = client.get("/v1/orders")
        finally:
            edge.settings = settings
            edge.use({"orders": [upstream.port]})
        assert {name: found.get(name) for name in given} == given
        assert found["x-content-type-options"] == "nosniff"
        assert client.get("/v1/orders")["x-frame-options"] == "DENY"


def test_without_tls_nothing_asks_for_https(upstream: Upstream) -> None:
    gateway = Gateway()
    try:
        gateway.use({"orders": [upstream.port]})
        until(lambda: gateway.healthy("orders"))
        found = gateway.send("/v1/orders").headers
        assert {name: found.get(name) for name in DEFAULTS} == DEFAULTS
        assert STRICT not in found
    finally:
        gateway.end()


def test_a_certificate_that_cannot_be_used_changes_nothing(edge: Secure) -> None:
    secret = edge.folder / MOUNTED / SECRET_FILE
    before = secret.read_text()
    with pytest.raises(SvcgenError, match=r"svcgen.yaml and key.pem: gateway.tls.key: .* not fit"):
        edge.give(Pair(make_certificate(CA, HOSTS).certificate, make_certificate(CA, HOSTS).key))
    assert secret.read_text() == before
