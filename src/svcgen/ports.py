"""Ports of this machine: an unused one, and whether a given one is free."""

from __future__ import annotations

import contextlib
import random
import socket

LOOPBACK = "127.0.0.1"
_SEARCHED = 100  # ports above a taken one
_DRAW = random.SystemRandom()  # not seeded: two programs with one seed would draw the same ports


def free_port() -> int:
    """Return a port on which no program listens.

    Another program may take it before it is used. It is not an ephemeral port (RFC 6335,
    section 6; Linux: 32768 and up): one of a thousand outgoing connections could take that.
    """
    while True:
        port = _DRAW.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            return port


def is_free(port: int) -> bool:
    """Return whether a program can listen on a port of 127.0.0.1.

    Closed connections that the kernel still holds (TIME_WAIT) do not count.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def next_free_port(port: int) -> int:
    """Return the nearest free port above a port, else any free one."""
    above = range(port + 1, min(port + _SEARCHED, 65_536))
    return next(filter(is_free, above), None) or free_port()
