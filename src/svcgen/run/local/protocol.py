"""The supervisor's socket: one request and its reply, each line a JSON document.

request   {"do": "up", ...}
reply     {"accepted": true}
          {"service": "orders", "text": "starting"}, for each step
          {"result": ...}  or  {"problem": "...", "advice": "...", "idle": false}

`run` is longer: the reply {"start": VARIABLES} is answered by {"pid": ...} of the process that was
started with them, and by {"ended": CODE} at its end. The end of the connection ends it, too.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from svcgen.errors import SvcgenError
from svcgen.run.engine import FleetState, Replica, Report

LARGEST = 64 * 1024 * 1024
"""Bytes of one document: enough for the gateway's files of thousands of services."""
ACCEPTED = {"accepted": True}
ACCEPT_SECONDS = 10.0


class AbsentError(ConnectionError):
    """No supervisor accepts requests."""


class LostError(ConnectionError):
    """The supervisor ended, or did not reply in time, after it had accepted the request."""


class RefusedError(SvcgenError):
    """The error of the supervisor; when it is `idle`, nothing runs and it ends."""

    def __init__(self, problem: str, advice: str, *, idle: bool) -> None:
        super().__init__(problem, advice)
        self.idle = idle


def encode(document: object) -> bytes:
    """Return a document as one line."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def ask(path: Path, request: dict[str, Any], report: Report, seconds: float | None = None) -> Any:
    """Send one request and return its result; `seconds` is the longest time without a line.

    Raises RefusedError, AbsentError or LostError.
    """
    with requested(path, request) as (connection, lines):
        connection.settimeout(seconds)
        return read_reply(lines, "result", report)


@contextmanager
def requested(path: Path, request: dict[str, Any]) -> Iterator[tuple[socket.socket, IO[bytes]]]:
    """Send one request; yield the connection and the lines of its reply. Raises AbsentError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with connection, connection.makefile("rb") as lines:
        try:
            connection.settimeout(ACCEPT_SECONDS)
            connection.connect(str(path))
            connection.sendall(encode(request))
            if not lines.readline():
                raise AbsentError("The supervisor is ending.")
        except OSError as error:
            raise AbsentError(str(error)) from error
        yield connection, lines


def read_reply(lines: IO[bytes], key: str, report: Report) -> Any:
    """Return what the next line with this key has; report the progress in the lines before it.

    Raises RefusedError or LostError.
    """
    try:
        for line in lines:
            reply = json.loads(line)
            if "problem" in reply:
                raise RefusedError(reply["problem"], reply["advice"], idle=reply["idle"])
            if key in reply:
                return reply[key]
            report(reply["service"], reply["text"])
    except OSError as error:
        raise LostError(str(error)) from error
    raise LostError("The supervisor ended.")


def listening(path: Path) -> socket.socket:
    """Return a socket that listens at `path`, from its start for this user alone."""
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
    """One service: its folder, and its environment without PORT and DATABASE_URL."""

    name: str
    folder: str
    database: bool
    health: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class ProgramPlan:
    """A program of svcgen.yaml, with the variables that it gets beside those of the system.

    Without a `port` (0) it is ready when it was started.
    """

    name: str
    command: tuple[str, ...]
    port: int
    environment: Mapping[str, str]

    @property
    def replica(self) -> str:
        """The label of its process."""
        return f"{self.name}-1"


def read_program(document: Mapping[str, Any]) -> ProgramPlan:
    """Return the program of a JSON document."""
    return ProgramPlan(**{**document, "command": tuple(document["command"])})


@dataclass(frozen=True)
class UpRequest:
    """What is to run: services, replicas of each, and the gateway's files that belong to them.

    `only`, when not empty, names the services that may change, and `replaced` those that get new
    replicas. `internal` has the loopback port of each called service, `programs` the paths of
    Envoy and of the folder with PostgreSQL's programs. `seconds` is the time in which a replica
    must become ready. `helpers` are the programs of svcgen.yaml.
    """

    services: tuple[ServicePlan, ...]
    port: int
    seconds: float
    only: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    scale: Mapping[str, int] = field(default_factory=dict)
    internal: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    helpers: tuple[ProgramPlan, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the request as a JSON document."""
        return asdict(self)

    @property
    def filled(self) -> tuple[ServicePlan, ...]:
        """The services that may be started or scaled, without those that are replaced."""
        chosen = [plan for plan in self.services if not self.only or plan.name in self.only]
        return tuple(plan for plan in chosen if plan.name not in self.replaced)


def read_request(document: Mapping[str, Any]) -> UpRequest:
    """Return the request of `UpRequest.document`."""
    services = tuple(ServicePlan(**plan) for plan in document["services"])
    names = {key: tuple(document[key]) for key in ("only", "replaced")}
    helpers = tuple(read_program(program) for program in document["helpers"])
    return UpRequest(**{**document, **names, "services": services, "helpers": helpers})


def read_state(document: Mapping[str, Any]) -> FleetState:
    """Return the state that the supervisor sent."""
    replicas = tuple(Replica(**replica) for replica in document["replicas"])
    foreground, killed = tuple(document.get("foreground", ())), tuple(document.get("killed", ()))
    return FleetState(True, document["port"], replicas, document["internal"], foreground, killed)
