"""Bodies and streams through a real Envoy: the limit of each route, and what passes unbuffered."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support.envoy_process import Gateway, problem, registration, until

pytestmark = pytest.mark.needs("local")

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
KIB, MIB = 1 << 10, 1 << 20
ROUTES: dict[str, dict[str, object]] = {
    "orders": {"path": "/v1/orders"},
    "small": {"path": "/v1/small", "max_body": "1KiB"},
    "large": {"path": "/v1/large", "max_body": "256KiB"},
    "events": {"path": "/v1/events", "stream": True},
    "quiet": {"path": "/v1/quiet", "stream": True, "idle_timeout": "1s"},
    "files": {"path": "/v1/files", "stream": True, "max_body": "128KiB"},
}


class Streams(ThreadingHTTPServer):
    """Answers an upgrade with an echo, a GET with events, a POST with the bytes of its body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.more = threading.Event()  # after it, the second event
        self.began = threading.Event()  # a body has begun to arrive
        self.requests = 0
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that ends early is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Streams

    def do_GET(self) -> None:
        if self.path == "/readyz":
            self._reply(b"{}")
            return
        self.server.requests += 1
        if self.headers.get("upgrade") == "websocket":
            self._echo()
        else:
            self._events()

    def do_POST(self) -> None:
        self.server.requests += 1
        size = 0
        while part := self._part():
            size += len(part)
            self.server.began.set()
        self._reply(str(size).encode())

    def _part(self) -> bytes:
        if "content-length" in self.headers:
            left = int(self.headers["content-length"])
            part = self.rfile.read(min(left, 65_536))
            del self.headers["content-length"]
            self.headers["content-length"] = str(left - len(part))
            return part
        length = int(self.rfile.readline(), 16)
        part = self.rfile.read(length)
        self.rfile.readline()
        return part

    def _reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _events(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in (b"data: 1\n\n", b"data: 2\n\n"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.server.more.wait()
        self.wfile.write(b"0\r\n\r\n")

    def _echo(self) -> None:
        key = self.headers["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
        self.connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-accept: " + accept + b"\r\n\r\n"
        )
        while data := self.connection.recv(4096):
            self.connection.sendall(data)
        self.close_connection = True

    def log_message(self, *_args: Any) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def service() -> Streams:
    return Streams()


@pytest.fixture(scope="module")
def shop(service: Streams) -> Iterator[Gateway]:
    gateway = Gateway()
    try:
        gateway.use({"orders": [service.server_port]}, [registration("orders", **ROUTES)])
        until(lambda: gateway.healthy("orders"))
        yield gateway
    finally:
        gateway.end()


@contextlib.contextmanager
def connected(shop: Gateway) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", shop.port), timeout=20) as connection:
        yield connection


def receive(connection: socket.socket, until_text: bytes) -> bytes:
    """Return what arrives up to a text, or up to the end of the connection."""
    text = b""
    while until_text not in text and (part := connection.recv(65_536)):
        text += part
    return text


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/v1/orders", 64 * KIB, 200),
        ("/v1/orders", 64 * KIB + 1, 413),
        ("/v1/small", KIB, 200),
        ("/v1/small", KIB + 1, 413),
        ("/v1/large", 256 * KIB, 200),
        ("/v1/large", 256 * KIB + 1, 413),
        ("/v1/files", 128 * KIB, 200),
        ("/v1/files", 128 * KIB + 1, 413),
        ("/v1/events", 2 * MIB, 200),
    ],
)
def test_each_route_has_its_limit(
    shop: Gateway, path: str, size: int, status: int, *, chunked: bool
) -> None:
    body: Any = iter([b"x" * size]) if chunked else b"x" * size
    try:
        answer = shop.send(path, "POST", body=body)  # http.client sends an iterator in chunks
    except (BrokenPipeError, ConnectionResetError):
        assert status == 413  # the gateway answers and closes before it has read the body
        return
    if status == 413:
        problem(answer, 413)
    else:
        assert (answer.status, answer.text) == (200, str(size))


@pytest.mark.parametrize("path", ["/v1/small", "/v1/files"])
def test_a_length_above_the_limit_is_refused_before_the_body(
    shop: Gateway, service: Streams, path: str
) -> None:
    before = service.requests
    with connected(shop) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {MIB}\r\n\r\n"
        client.sendall(head.encode())
        assert receive(client, b"}").startswith(b"HTTP/1.1 413 ")
    assert service.requests == before


def test_events_arrive_one_by_one_for_longer_than_the_timeout(
    shop: Gateway, service: Streams
) -> None:
    assert shop.settings.timeout_ms == 2_000
    service.more.clear()
    with connected(shop) as client:
        client.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"data: 1" in receive(client, b"data: 1")
        time.sleep(2.5)
        service.more.set()
        assert b"data: 2" in receive(client, b"0\r\n\r\n")


def test_a_websocket_passes_both_ways(shop: Gateway) -> None:
    with connected(shop) as client:
        client.sendall(UPGRADE.format(path="/v1/events").encode())
        assert receive(client, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        for data in (b"\x81\x05hello", b"\x82\x03\x00\x01\x02"):
            client.sendall(data)
            assert client.recv(4096) == data


def test_an_idle_stream_ends(shop: Gateway) -> None:
    with connected(shop) as client:
        client.sendall(UPGRADE.format(path="/v1/quiet").encode())
        receive(client, b"\r\n\r\n")
        assert client.recv(4096) == b""


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/small", "/nothing"])
def test_no_other_route_takes_an_upgrade(shop: Gateway, service: Streams, path: str) -> None:
    before = service.requests
    with connected(shop) as client:
        client.sendall(UPGRADE.format(path=path).encode())
        assert receive(client, b"\r\n\r\n").split(b" ")[1] in {b"403", b"404"}
    assert service.requests == before


@pytest.mark.parametrize("other", ["h2c", "TLS/1.0", "foo", "websocket, h2c"])
def test_a_stream_takes_no_other_upgrade(shop: Gateway, other: str) -> None:
    with connected(shop) as client:
        asked = UPGRADE.format(path="/v1/events").replace("Upgrade: websocket", f"Upgrade: {other}")
        client.sendall(asked.encode())
        assert receive(client, b"\r\n\r\n").split(b" ")[1] != b"101"


def test_a_body_reaches_the_service_before_it_is_complete(shop: Gateway, service: Streams) -> None:
    service.began.clear()
    with connected(shop) as client:
        head = "POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.sendall(head.encode() + b"5\r\nhello\r\n")
        assert service.began.wait(20)
        client.sendall(b"0\r\n\r\n")
        assert receive(client, b"\r\n\r\n5").startswith(b"HTTP/1.1 200 ")
