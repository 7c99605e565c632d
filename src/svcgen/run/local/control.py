"""The supervisor's socket: one request, lines of progress, one result; each a JSON document.

request   {"do": "up", …}
progress  {"service": "orders", "text": "starting"}
result    {"result": …}  or  {"problem": "…", "advice": "…"}
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.run.engine import Report

LARGEST = 64 * 1024 * 1024
"""Bytes of one document: the gateway's files of thousands of services fit."""


class AbsentError(ConnectionError):
    """No supervisor listens there, or it went away before it answered."""


def line(document: object) -> bytes:
    """Return a document as it goes over the socket."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def ask(path: Path, request: dict[str, Any], report: Report, seconds: float | None = None) -> Any:
    """Send one request and return its result; `seconds` of silence count as absent.

    Raises the supervisor's SvcgenError, and AbsentError when nobody answers.
    """
    try:
        with _connected(path, seconds) as connection:
            connection.sendall(line(request))
            for text in connection.makefile("rb"):
                answer = json.loads(text)
                if "service" not in answer:
                    return _result(answer)
                report(answer["service"], answer["text"])
    except OSError as error:
        raise AbsentError(str(error)) from error
    raise AbsentError("The supervisor went away.")


def _result(answer: dict[str, Any]) -> Any:
    if "problem" in answer:
        raise SvcgenError(answer["problem"], answer["advice"])
    return answer["result"]


@contextmanager
def _connected(path: Path, seconds: float | None) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(str(path))
        yield connection


def listening(path: Path) -> socket.socket:
    """Return a socket that listens at `path`, for this user alone from its first moment."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(umask)
    return listener
