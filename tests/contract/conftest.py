"""What services are tested with: databases."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import pytest


class _Database(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        if self.request.recv(1) == b"?":
            self.request.sendall(b"!")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 2_048  # the reference connects for each request, and a check sends 1,000


@pytest.fixture(scope="session")
def fake_database() -> Iterator[str]:
    """Start what the reference service takes for a database."""
    with _Server(("127.0.0.1", 0), _Database) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"postgresql://user:hidden@127.0.0.1:{server.server_address[1]}/things"
        server.shutdown()
