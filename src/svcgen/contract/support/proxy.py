"""A door between a service and its database, to be shut and opened by the suite."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from svcgen.contract.http import free_port

POSTGRES_PORT = 5432


@dataclass
class Door:
    """Forwards 127.0.0.1:port to the database while open; refuses and cuts off while shut."""

    host: str
    database_port: int
    port: int = field(default_factory=free_port)
    listener: socket.socket | None = None
    passing: list[socket.socket] = field(default_factory=list)

    def open(self) -> None:
        """Let connections through."""
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._welcome, args=(self.listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse new connections and break those that pass."""
        for one in [self.listener, *self.passing]:
            if one:
                _end(one)
        self.listener = None
        self.passing.clear()

    def _welcome(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                guest = listener.accept()[0]
                threading.Thread(target=self._lead, args=(guest,), daemon=True).start()

    def _lead(self, guest: socket.socket) -> None:
        try:
            host = socket.create_connection((self.host, self.database_port))
        except OSError:
            return guest.close()
        self.passing += [guest, host]
        threading.Thread(target=_carry, args=(host, guest), daemon=True).start()
        return _carry(guest, host)


def door_to(url: str) -> tuple[Door, str]:
    """Make a shut door to a database, and the URL that leads through it."""
    parts = urlsplit(url)
    door = Door(parts.hostname or "127.0.0.1", parts.port or POSTGRES_PORT)
    user = parts.netloc.rpartition("@")[0]
    place = f"{user}@127.0.0.1:{door.port}" if user else f"127.0.0.1:{door.port}"
    return door, parts._replace(netloc=place).geturl()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _end(source)
    _end(sink)


def _end(one: socket.socket) -> None:
    """Wake whoever waits in the socket, then close it."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
