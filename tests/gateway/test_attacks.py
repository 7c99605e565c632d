"""What an attacker sends to the edge as bytes: none of it reaches a service as a second request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
)

from svcgen.gateway.routes import explain
from tests.support.envoy_process import Gateway, registration, until
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")

PATH = "/v1/orders"
SECOND = "GET /v1/orders/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
HEX = f"{len(SECOND):x}\r\n{SECOND}\r\n0\r\n\r\n"


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


def with_field(field: bytes) -> bytes:
    return ANSWER.replace(b"\r\n\r\n", b"\r\n" + field + b"\r\n\r\n")


# What a service that is broken or taken over answers, and the statuses that its client may see.
ANSWERS = {
    "length and chunked": (with_field(b"Transfer-Encoding: chunked") + POISON, {502}),
    "two lengths": (with_field(b"Content-Length: 60") + POISON, {502}),
    "a second answer": (ANSWER + POISON, {200}),
    "a head of 50 KB": (with_field(b"X: " + b"a" * 50_000), {200}),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.9\r\n" + POISON, {502}),
    "101 that nobody asked for": (b"HTTP/1.1 101 Switching\r\n\r\n" + POISON, {101}),
}


class RawAnswers:
    """A service that answers each request with the bytes that it is given."""

    def __init__(self) -> None:
        self.answer = ANSWER
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            head = b""
            while data := connection.recv(65_536):
                head += data
                if b"\r\n\r\n" in head:
                    connection.sendall(ANSWER if b"/readyz" in head else self.answer)
                    head = b""


@pytest.fixture(scope="module")
def orders() -> Upstream:
    return Upstream("orders")


@pytest.fixture(scope="module")
def raw() -> RawAnswers:
    return RawAnswers()


@pytest.fixture(scope="module")
def edge(orders: Upstream, raw: RawAnswers) -> Iterator[Gateway]:
    gateway = Gateway()
    try:
        gateway.use({"orders": [orders.port], "raw": [raw.port]})
        until(lambda: gateway.healthy("orders") and gateway.healthy("raw"))
        yield gateway
    finally:
        gateway.end()


def post(*lines: str, body: str = "") -> str:
    return "\r\n".join([f"POST {PATH} HTTP/1.1", "Host: x", *lines, "", body])


def get(*lines: str, target: str = PATH, version: str = "HTTP/1.1") -> str:
    return "\r\n".join([f"GET {target} {version}", *(lines or ("Host: x",)), "", ""])


ASKED = ("GET", "POST")
CHUNKED = "Transfer-Encoding: chunked"
LENGTH = f"Content-Length: {len(SECOND)}"
# Each holds a second request that one reader of the message may take for the next one.
SMUGGLED = {
    "length and chunked": post("Content-Length: 5", CHUNKED, body=f"0\r\n\r\n{SECOND}"),
    "chunked and length": post(CHUNKED, "Content-Length: 5", body=f"0\r\n\r\n{SECOND}"),
    "chunked twice": post(CHUNKED, CHUNKED, LENGTH, body=f"0\r\n\r\n{SECOND}"),
    "chunked, identity": post("Transfer-Encoding: chunked, identity", body=f"0\r\n\r\n{SECOND}"),
    "identity": post("Transfer-Encoding: identity", LENGTH, body=SECOND),
    "xchunked": post("Transfer-Encoding: xchunked", LENGTH, body=SECOND),
    "space before the colon": post("Transfer-Encoding : chunked", LENGTH, body=SECOND),
    "tab before chunked": post("Transfer-Encoding:\tchunked", LENGTH, body=SECOND),
    "form feed": post("Transfer-Encoding: \x0bchunked", LENGTH, body=SECOND),
    "folded": post("Transfer-Encoding:\r\n chunked", LENGTH, body=SECOND),
    "folded header": post("X: a", f" {CHUNKED}", LENGTH, body=SECOND),
    "quoted": post('Transfer-Encoding: "chunked"', LENGTH, body=SECOND),
    "two lengths": post("Content-Length: 0", LENGTH, body=SECOND),
    "two lengths in one": post(f"Content-Length: 0, {len(SECOND)}", body=SECOND),
    "length with a plus": post(f"Content-Length: +{len(SECOND)}", body=SECOND),
    "length with a minus": post("Content-Length: -1", body=SECOND),
    "length in hexadecimal": post(f"Content-Length: 0x{len(SECOND):x}", body=SECOND),
    "length of nothing": post("Content-Length: ", body=SECOND),
    "length too long": post("Content-Length: 99999999999999999999", body=SECOND),
    "bare line feeds": post("X: a\nContent-Length: 0", LENGTH, body=SECOND),
    "bare carriage return": post("X: a\rContent-Length: 0", LENGTH, body=SECOND),
    "NUL in a header": post("X: a\x00b", LENGTH, body=SECOND),
    "chunk size with a sign": post(CHUNKED, body=f"+{HEX}"),
    "chunk size in hexadecimal": post(CHUNKED, body=f"0x{HEX}"),
    "chunk size with spaces": post(CHUNKED, body=f" {HEX}"),
    "chunk size of 17 digits": post(CHUNKED, body=f"1{'0' * 16}\r\n{SECOND}"),
    "chunk size is negative": post(CHUNKED, body=f"-1\r\n{SECOND}"),
    "chunk without its line end": post(CHUNKED, body=f"1\r\nab\r\n0\r\n\r\n{SECOND}"),
    "line feeds in chunks": post(CHUNKED, body=f"0\n\n{SECOND}"),
    "extension with a line feed": post(CHUNKED, body=f"1;a\nb\r\nx\r\n0\r\n\r\n{SECOND}"),
    "trailer": post(CHUNKED, body=f"0\r\nContent-Length: 9\r\nX: {SECOND}\r\n"),
    "upgrade": get("Host: x", "Connection: Upgrade", "Upgrade: websocket"),
    "h2c upgrade": get("Host: x", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"),
    "HTTP/1.0": get(target=f"{PATH}/0", version="HTTP/1.0") + SECOND,
    "HTTP/0.9": f"GET {PATH}\r\n{SECOND}",
    "HTTP/2 line": get(version="HTTP/2.0") + SECOND,
    "HTTP/1.11": get(version="HTTP/1.11") + SECOND,
    "space in the target": get(target=f"{PATH} HTTP/1.1\r\nX: a") + SECOND,
    "line break in the target": f"GET {PATH}\r\n /x HTTP/1.1\r\nHost: x\r\n\r\n{SECOND}",
    "no host": f"GET {PATH} HTTP/1.1\r\n\r\n{SECOND}",
    "two hosts": get("Host: x", "Host: y"),
    "CONNECT": "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "TRACE": f"TRACE {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "TRACK": f"TRACK {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "method with a space": f"GE T {PATH} HTTP/1.1\r\nHost: x\r\n\r\n{SECOND}",
    "leading space": f" GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n{SECOND}",
}


def converse(port: int, text: str) -> bytes:
    """Send bytes, end the sending side, and return what comes back until the end or silence."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        try:
            connection.sendall(text.encode("latin-1"))
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65_536):
                received += data
        except (ConnectionError, TimeoutError):
            pass  # the gateway ends it while it is still being sent to, or waits for more
    return received


@pytest.mark.parametrize("name", SMUGGLED)
def test_no_second_request_is_smuggled(edge: Gateway, orders: Upstream, name: str) -> None:
    before = len(orders.seen)
    answered = converse(edge.port, SMUGGLED[name])
    # An answer of the service is the one to the first request, whose body holds the second.
    assert answered.count(b'"service": "orders"') <= 1, answered
    assert b'"upgrade"' not in answered
    seen = orders.seen[before:]
    assert not [each for each in seen if "smuggled" in each or each.split()[0] not in ASKED]
    assert edge.send(PATH).status == 200


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_does_not_reach_another_client(edge: Gateway, raw: RawAnswers, name: str) -> None:
    """Requests of other clients follow on the connections that the gateway keeps to services."""
    raw.answer, statuses = ANSWERS[name]
    try:
        assert edge.send("/v1/raw", "POST").status in statuses
        raw.answer = ANSWER
        after = [edge.send("/v1/raw").text for _ in range(20)]
        assert "poison" not in "".join(after)
    finally:
        raw.answer = ANSWER
        until(lambda: edge.send("/v1/raw").status == 200)


OPEN: dict[str, object] = {"path": "/shop", "auth": "none"}
GUARDED: dict[str, object] = {"path": "/shop/admin/keys", "auth": {"key": "staff"}}
HIDDEN: dict[str, object] = {"exact": "/shop/secret", "auth": "none", "expose": "internal"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        # Tomcat reads the first ones as /shop/admin/keys.
        *(
            (f"/shop/{path}", 400)
            for path in ("admin;x/keys", "admin/keys;x=1", "admin;x/keys;y/1")
        ),
        *((f"/shop/{path}", 400) for path in (";x/admin/keys", "admin/;/keys", "admin%3Bx/keys")),
        *((f"/shop/{path}", 400) for path in ("secret;x", "secret%3bx", ";/secret")),
        ("/shop/admin/keys", 401),
        ("/shop/secret", 404),
        ("/shop/items/a/b;x", 200),
        ("/shop/items", 200),
        ("/v1/orders;x/1", 404),
        ("/v1/orders/1;x", 200),
    ],
)
def test_a_parameter_does_not_lead_around_a_guarded_route(
    guarded: Gateway, path: str, status: int
) -> None:
    answer = guarded.send(path)
    assert answer.status == status, answer.text
    assert explain(guarded.table, path).status in {status, 0}


@pytest.fixture(scope="module")
def guarded(orders: Upstream) -> Iterator[Gateway]:
    gateway, shop = Gateway(), Upstream("shop")
    routes: dict[str, dict[str, object]] = {"open": OPEN, "guarded": GUARDED, "hidden": HIDDEN}
    try:
        ports = {"orders": [orders.port], "shop": [shop.port]}
        gateway.use(ports, [registration("shop", **routes)])
        until(lambda: gateway.healthy("orders") and gateway.healthy("shop"))
        yield gateway
    finally:
        gateway.end()


SLOW = {
    "head": "POST /v1/orders HTTP/1.1\r\nHost: x\r\nX: ",
    "body": "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
}


@pytest.mark.parametrize("part", SLOW)
def test_a_request_that_does_not_arrive_ends(orders: Upstream, part: str) -> None:
    """A byte now and then does not keep it; the limits are those of the edge, divided by 20."""
    gateway = Gateway()
    try:
        gateway.use({"orders": [orders.port]})
        until(lambda: gateway.healthy("orders"))
        for name, limit, less in (
            ("lds.json", '"request_headers_timeout": "10s"', '"request_headers_timeout": "0.5s"'),
            ("rds.json", '"max_stream_duration": "32s"', '"max_stream_duration": "1.6s"'),
        ):
            text = (gateway.folder / name).read_text()
            assert limit in text
            gateway.replace(name, text.replace(limit, less))
        before = len(orders.seen)
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=0.2) as connection:
            connection.sendall(SLOW[part].encode())
            line = b""
            while not line:
                try:
                    line = connection.recv(100)
                except TimeoutError:
                    connection.sendall(b"a")
        assert line.startswith(b"HTTP/1.1 408")
        assert orders.seen[before:] == []
    finally:
        gateway.end()


OWN = [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", PATH)]
# Requests over HTTP/2 that RFC 9113, sections 8.1 to 8.3, calls malformed.
MALFORMED = {
    "upper case": [*OWN, ("X-Upper", "a")],
    "connection": [*OWN, ("connection", "close")],
    "transfer-encoding": [*OWN, ("transfer-encoding", "chunked")],
    "upgrade": [*OWN, ("upgrade", "h2c")],
    "te: gzip": [*OWN, ("te", "gzip")],
    "unknown pseudo-header": [*OWN, (":secret", "a")],
    "pseudo-header after a header": [*OWN[:3], ("a", "b"), OWN[3]],
    "two paths": [*OWN, (":path", "/v1/raw")],
    "two methods": [*OWN, (":method", "POST")],
    "no path": OWN[:3],
    "empty path": [*OWN[:3], (":path", "")],
    "path without a slash": [*OWN[:3], (":path", "v1/orders")],
    "no method": OWN[1:],
    "line break in a value": [*OWN, ("a", "b\r\nx-auth-subject: root")],
    "line break in a path": [*OWN[:3], (":path", f"{PATH} HTTP/1.1\r\nHost: x\r\n\r\n{SECOND}")],
    "line break in a name": [*OWN, ("a\r\nb", "c")],
    "space in a name": [*OWN, ("a b", "c")],
    "colon in a name": [*OWN, ("a:b", "c")],
    "NUL in a value": [*OWN, ("a", "b\x00c")],
    "space in the method": [(":method", "GET / HTTP/1.1\r\nX: y"), *OWN[1:]],
    "content-length without a body": [*OWN, ("content-length", "7")],
    "TRACE": [(":method", "TRACE"), *OWN[1:]],
    "CONNECT": [(":method", "CONNECT"), (":authority", "x:80")],
    "extended CONNECT": [(":method", "CONNECT"), (":protocol", "websocket"), *OWN[1:]],
}


def refused(port: int, frames: Iterable[bytes], seconds: float) -> bool:
    """Send frames after the preface; report whether the gateway ends connection or stream.

    It does not if it is silent for these seconds.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        try:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame().serialize())
            for frame in frames:
                connection.sendall(frame)
            while data := connection.recv(65_536):
                received += data
        except TimeoutError:
            return "RstStreamFrame" in frames_of(received)
        except ConnectionError:
            pass
    return True


def head(headers: list[tuple[str, str]], stream: int = 1, *, end: bool = True) -> bytes:
    flags = ["END_HEADERS", *(["END_STREAM"] if end else [])]
    return HeadersFrame(stream, Encoder().encode(headers), flags=flags).serialize()


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_over_http2_reaches_nothing(
    edge: Gateway, orders: Upstream, name: str
) -> None:
    before = len(orders.seen)
    refused(edge.port, [head(MALFORMED[name])], seconds=0.3)
    assert orders.seen[before:] == []
    assert edge.send(PATH).status == 200


def bytes_of(*frames: Frame) -> bytes:
    return b"".join(frame.serialize() for frame in frames)


def rapid_reset() -> Iterator[bytes]:
    """CVE-2023-44487: streams that are opened and reset at once."""
    for stream in range(1, 20_001, 2):
        yield head(OWN, stream) + bytes_of(RstStreamFrame(stream, error_code=8))


def continuations() -> Iterator[bytes]:
    """CVE-2024-27919: a header block without end."""
    yield HeadersFrame(1, Encoder().encode(OWN)).serialize()
    block = Encoder().encode([("a", "b" * 16_000)], huffman=False)
    for _ in range(3_000):
        yield ContinuationFrame(1, block).serialize()


def settings() -> Iterator[bytes]:
    yield from [bytes_of(SettingsFrame(settings={4: 65_535})) * 1_000] * 50


def pings() -> Iterator[bytes]:
    yield from [bytes_of(PingFrame(opaque_data=b"12345678")) * 1_000] * 50


def empty_data() -> Iterator[bytes]:
    yield head([(":method", "POST"), *OWN[1:]], end=False)
    yield from [bytes_of(DataFrame(1, b"")) * 1_000] * 50


def header_bomb() -> Iterator[bytes]:
    """One entry of the dynamic table, named again and again: bytes become kilobytes."""
    encoder = Encoder()
    block = encoder.encode([*OWN, ("a", "b" * 4_000)], huffman=False)
    block += encoder.encode([("a", "b" * 4_000)], huffman=False) * 15_000
    yield HeadersFrame(1, block[:16_000]).serialize()
    yield ContinuationFrame(1, block[16_000:32_000], flags=["END_HEADERS"]).serialize()


@pytest.mark.parametrize(
    "flood", [rapid_reset, continuations, settings, pings, empty_data, header_bomb]
)
def test_a_flood_of_frames_ends_its_connection_alone(
    edge: Gateway, flood: Callable[[], Iterator[bytes]]
) -> None:
    """The gateway closes the connection, or resets the stream, and serves others meanwhile."""
    ends: list[bool] = []
    attack = threading.Thread(target=lambda: ends.append(refused(edge.port, flood(), seconds=5)))
    attack.start()
    while attack.is_alive():
        assert edge.send(PATH).status == 200
    assert ends == [True]


def frames_of(received: bytes) -> list[str]:
    """Return the names of the frames that the gateway has sent."""
    names = []
    while received:
        frame, length = Frame.parse_frame_header(memoryview(received[:9]))
        names.append(type(frame).__name__)
        received = received[9 + length :]
    return names
