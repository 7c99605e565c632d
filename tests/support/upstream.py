"""A small service to stand behind the gateway in tests: it says who it is and what it was sent."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Upstream(ThreadingHTTPServer):
    """Answers every path; `?slow=SECONDS` waits, `?reset=N` cuts N, `?header=NAME:VALUE`."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, name: str, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), Handler)
        self.name = name
        self.ready = True
        self.status = 200  # of all answers but /readyz
        self.runs = threading.Event()  # cleared, it hangs as a stopped process does
        self.runs.set()
        self.seen: list[str] = []
        self._open: set[socket.socket] = set()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that ends early is what some tests are about."""

    def kill(self) -> None:
        """End as a killed process does: nothing listens, and every connection is reset."""
        self.socket.close()
        self.shutdown()
        for connection in list(self._open):
            reset(connection)


def reset(connection: socket.socket) -> None:
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
        connection.close()
    except OSError:
        pass  # was closed before


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Upstream

    def answer(self) -> None:
        self.server.runs.wait()
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path == "/readyz":
            self.reply(200 if self.server.ready else 503, {})
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.seen.append(f"{self.command} {self.path}")
        if self.server.seen.count(f"{self.command} {self.path}") <= int(query.get("reset", 0)):
            reset(self.connection)
            self.close_connection = True
            return
        time.sleep(float(query.get("slow", 0)))
        sent = {name.lower(): value for name, value in self.headers.items()}
        said = {"service": self.server.name, "path": self.path, "headers": sent, "body": len(body)}
        self.reply(int(query.get("status", self.server.status)), said, query.get("header", ""))

    def reply(self, status: int, said: dict[str, Any], header: str = "") -> None:
        text = json.dumps(said).encode()
        self.send_response(status)
        if header:
            self.send_header(*header.split(":", 1))
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815 (http.server's names)

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    Upstream(sys.argv[1], "0.0.0.0", 8080)
    threading.Event().wait()
