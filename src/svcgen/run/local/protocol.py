"""The supervisor's socket: one request, lines of progress, one result; each a JSON document.

request   {"do": "up", …}
progress  {"service": "orders", "text": "starting"}
result    {"result": …}  or  {"problem": "…", "advice": "…"}
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
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


@dataclass(frozen=True)
class ServicePlan:
    """One service: its folder and all of its environment but PORT and DATABASE_URL."""

    name: str
    folder: str
    database: bool
    health: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class UpRequest:
    """What is to run: services, replicas of each, and the gateway's files that belong to them.

    `only`, when not empty, names the services that may be touched.
    `internal` has the loopback port of each called service, `programs` the paths of envoy and of
    the folder with PostgreSQL's programs, `seconds` how long a replica may take to become ready.
    """

    services: tuple[ServicePlan, ...]
    port: int
    seconds: float
    only: tuple[str, ...] = ()
    scale: Mapping[str, int] = field(default_factory=dict)
    internal: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return it as JSON can carry it."""
        return asdict(self)

    @property
    def touched(self) -> tuple[ServicePlan, ...]:
        """The services that may be started or scaled."""
        return tuple(one for one in self.services if not self.only or one.name in self.only)


def read_request(document: Mapping[str, Any]) -> UpRequest:
    """Return the request that `UpRequest.document` wrote."""
    services = tuple(ServicePlan(**plan) for plan in document["services"])
    return UpRequest(**{**document, "services": services, "only": tuple(document["only"])})
