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


@pytest.fixture(scope="session")
def fake_database() -> Iterator[str]:
    """Start what the reference service takes for a database."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Database) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"postgresql://user:hidden@127.0.0.1:{server.server_address[1]}/things"
        server.shutdown()
