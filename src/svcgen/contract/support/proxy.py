"""A TCP proxy: between a service and its database, to be shut and opened by the suite."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from svcgen.ports import LOOPBACK, free_port

POSTGRES_PORT = 5432


@dataclass
class TcpProxy:
    """Forwards its port to another one while enabled; refuses connections while disabled."""

    host: str
    target_port: int
    address: str = LOOPBACK
    port: int = field(default_factory=free_port)
    listener: socket.socket | None = None
    connections: list[socket.socket] = field(default_factory=list)

    def enable(self) -> None:
        """Accept and forward connections."""
        self.listener = socket.create_server((self.address, self.port))
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def disable(self) -> None:
        """Refuse new connections and close the open ones."""
        for one in [self.listener, *self.connections]:
            if one:
                _end(one)
        self.listener = None
        self.connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = listener.accept()[0]
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        try:
            host = socket.create_connection((self.host, self.target_port))
        except OSError:
            return client.close()
        self.connections += [client, host]
        threading.Thread(target=_pump, args=(host, client), daemon=True).start()
        return _pump(client, host)


def proxy_to(url: str) -> tuple[TcpProxy, str]:
    """Return a disabled proxy to a database, and the database's URL through it."""
    parts = urlsplit(url)
    proxy = TcpProxy(parts.hostname or "127.0.0.1", parts.port or POSTGRES_PORT)
    user = parts.netloc.rpartition("@")[0]
    netloc = f"{user}@127.0.0.1:{proxy.port}" if user else f"127.0.0.1:{proxy.port}"
    return proxy, parts._replace(netloc=netloc).geturl()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _end(source)
    _end(sink)


def _end(one: socket.socket) -> None:
    """Wake threads that block on the socket, then close it."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
