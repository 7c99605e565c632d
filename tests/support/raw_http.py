"""Requests as bytes: what ordinary clients refuse to send, over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

Request = tuple[str, str]  # method and target


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def exchange(
    port: int, requests: Sequence[Request], headers: Sequence[tuple[str, str]] = ()
) -> list[Reply]:
    """Send requests over HTTP/1.1, on a new connection where the server has ended one."""
    more = "".join(f"{name}: {value}\r\n" for name, value in headers)
    replies: list[Reply] = []
    while len(replies) < len(requests):
        with _connected(port) as connection, connection.makefile("rb") as stream:
            for method, target in requests[len(replies) :]:
                text = f"{method} {target} HTTP/1.1\r\nhost: x\r\n{more}\r\n"
                connection.sendall(text.encode("latin-1"))
                replies.append(_reply(stream, method))
                if replies[-1].headers.get("connection") == "close":
                    break
    return replies


def exchange_http2(
    port: int, request: Request, headers: Sequence[tuple[str, str]] = ()
) -> Reply | None:
    """Send one request over HTTP/2; None when the server resets the stream."""
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import (
        ConnectionTerminated,
        DataReceived,
        ResponseReceived,
        StreamEnded,
        StreamReset,
    )

    method, target = request
    protocol = H2Connection(
        H2Configuration(
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
    )
    fields, body = {}, b""
    with _connected(port) as connection:
        protocol.initiate_connection()
        own = [(":method", method), (":scheme", "http"), (":authority", "x"), (":path", target)]
        protocol.send_headers(1, [*own, *headers], end_stream=True)
        connection.sendall(protocol.data_to_send())
        while data := connection.recv(65536):
            for event in protocol.receive_data(data):
                match event:
                    case ResponseReceived():
                        fields = {str(name): str(value) for name, value in event.headers}
                    case DataReceived():
                        body += event.data
                    case StreamEnded():
                        return Reply(int(fields.pop(":status")), fields, body)
                    case StreamReset() | ConnectionTerminated():
                        return None
            connection.sendall(protocol.data_to_send())
    return None


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def _reply(stream: BinaryIO, method: str) -> Reply:
    status = int(stream.readline().split()[1])
    headers = {}
    while (line := stream.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
    return Reply(status, headers, stream.read(length))
