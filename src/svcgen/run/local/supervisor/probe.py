"""Whether a server on this machine is ready: one HTTP request."""

from __future__ import annotations

import asyncio
import contextlib

from svcgen.ports import LOOPBACK

SECONDS = 2.0
REQUEST = "GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"


async def is_ready(port: int, target: str) -> bool:
    """Return whether a server on this machine responds with 200 within two seconds."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _status(port, target) == "200"
    except (OSError, TimeoutError, EOFError, LookupError, asyncio.LimitOverrunError):
        return False  # no server, no response, a part of one, or no HTTP


async def _status(port: int, target: str) -> str:
    """Return the status of the response (RFC 9112, section 4); do not wait until it is closed."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(REQUEST.format(target=target, host=LOOPBACK).encode())
        head = await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return head.split(b" ", 2)[1].decode(errors="replace")
