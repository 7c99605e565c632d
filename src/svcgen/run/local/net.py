"""Ports of this machine: a free one from the system, and whether a wanted one is free."""

from __future__ import annotations

import asyncio
import contextlib
import socket

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Return a port that nobody uses now; another may take it before it is used, so try again."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Tell whether a port can be listened on; connections that only linger do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


SECONDS = 2.0
REQUEST = "GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"


async def is_ready(port: int, target: str) -> bool:
    """Tell whether a server on this machine answers 200 there, within two seconds."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _status(port, target) == "200"
    except (OSError, TimeoutError, EOFError, LookupError, asyncio.LimitOverrunError):
        return False  # nobody there, no answer, half of one, or something that is no HTTP


async def _status(port: int, target: str) -> str:
    """Return the status of the answer (RFC 9112, section 4), not waiting for the peer to close."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(REQUEST.format(target=target, host=LOOPBACK).encode())
        head = await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return head.split(b" ", 2)[1].decode(errors="replace")
