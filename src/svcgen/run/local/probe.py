"""One HTTP request to a server on this machine, without the wait of a broken peer."""

from __future__ import annotations

import asyncio
import http
import http.client

from svcgen.run.local.ports import LOOPBACK

SECONDS = 2.0


async def is_ready(port: int, target: str) -> bool:
    """Tell whether a server on this machine answers 200 there."""
    return await asyncio.to_thread(_answers, port, target)


def _answers(port: int, target: str) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=SECONDS)
    try:
        connection.request("GET", target)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
