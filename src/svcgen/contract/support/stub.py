"""Stub servers: a callee and a collector of spans."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from svcgen.openapi.document import operations
from svcgen.openapi.examples import answer_of

# How a stub can answer a request.
ANSWER, HANG, RESET, UNAVAILABLE, FAIL, NONSENSE = (
    *("answer", "hang", "reset", "unavailable", "fail", "nonsense"),
)
STATUS = {NONSENSE: 200, UNAVAILABLE: 503, FAIL: 500}


@dataclass(frozen=True)
class Received:
    """One received request."""

    method: str
    path: str
    headers: Message
    body: bytes = b""
    at: float = field(default_factory=time.monotonic)


@dataclass
class Stub:
    """A server on 127.0.0.1 that records requests and answers as configured."""

    name: str
    port: int = 0
    document: dict[str, Any] | None = None  # OpenAPI: it answers each operation by its schema
    received: list[Received] = field(default_factory=list)
    behaviours: list[str] = field(default_factory=lambda: [ANSWER])
    released: threading.Event = field(default_factory=threading.Event)
    server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """The base URL of this stub."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def summary(self) -> dict[str, object]:
        """The body of a normal answer."""
        return {"service": self.name, "items": 7, "calls": {"elsewhere": None}}

    def open(self) -> None:
        """Listen on a free port the first time, later on the same port."""
        handler = type("Handler", (_Handler,), {"stub": self})
        self.server = _Server(("127.0.0.1", self.port), handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections and release requests that hang."""
        self.released.set()
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None

    @contextlib.contextmanager
    def behaving(self, *behaviours: str) -> Iterator[list[Received]]:
        """Use one behaviour a request, the last one repeatedly; yield the received requests."""
        self.received.clear()
        self.behaviours[:] = behaviours
        self.released.clear()
        try:
            yield self.received
        finally:
            self.released.set()
            self.behaviours[:] = [ANSWER]

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Refuse connections inside the block."""
        self.close()
        try:
            yield
        finally:
            self.open()

    def behaviour(self) -> str:
        """Return the behaviour for the next request."""
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]

    def answer(self, method: str, path: str) -> tuple[int, bytes]:
        """Return the status and the body of a normal answer."""
        wanted = path.partition("?")[0].split("/")
        offered = operations(self.document) if self.document else {}
        for (offered_method, template), operation in offered.items():
            parts = template.split("/")
            fits = len(parts) == len(wanted) and all(
                "{}" in part or part == text for part, text in zip(parts, wanted, strict=True)
            )
            if fits and offered_method == method.lower() and wanted[-1] != "summary":
                return answer_of(operation)
        return 200, _text(self.summary)

    def about(self, trace: str) -> list[Received]:
        """Return the requests that carry this trace id."""
        return [one for one in self.received if trace in one.headers.get("traceparent", "")]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    stub: Stub

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        self._handle(_body(self))

    do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 (the names of the base class)

    def _handle(self, body: bytes) -> None:
        self.stub.received.append(Received(self.command, self.path, self.headers, body))
        behaviour = self.stub.behaviour()
        if behaviour == HANG:
            self.stub.released.wait(30)
        elif behaviour == RESET:
            _reset(self.connection)
        elif behaviour == ANSWER:
            self._reply(*self.stub.answer(self.command, self.path))
        else:
            self._reply(STATUS[behaviour], b'"nonsense"')
        self.close_connection = True

    def _reply(self, status: int, body: bytes) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            # Without it a client keeps the connection, and its next request may fail on it.
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        return


def _text(value: object) -> bytes:
    return json.dumps(value).encode()


def _body(request: BaseHTTPRequestHandler) -> bytes:
    """Read a body of announced length or in chunks; decompress it when it is gzip."""
    length = request.headers.get("Content-Length")
    body = request.rfile.read(int(length)) if length else b"".join(_chunks(request))
    return gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body


def _chunks(request: BaseHTTPRequestHandler) -> Iterator[bytes]:
    if "chunked" not in request.headers.get("Transfer-Encoding", ""):
        return
    while size := int(request.rfile.readline().split(b";")[0], 16):
        yield request.rfile.read(size)
        request.rfile.readline()


def _reset(connection: socket.socket) -> None:
    """Close with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
