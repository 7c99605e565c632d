"""An HTTP client that can also send malformed requests."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from typing import Any

from svcgen.contract.expect import BrokenRuleError, expect

TIMEOUT = 10.0  # seconds without a byte of a response
SLOWEST = 60.0  # seconds for a whole response
LARGEST = 32 << 20  # bytes of a response


@dataclass(frozen=True)
class Address:
    """Where a service listens."""

    port: int
    host: str = "127.0.0.1"
    tls: bool = False


@dataclass(frozen=True)
class Response:
    """Status, headers and body of one response."""

    status: int
    headers: Message
    body: bytes

    @property
    def kind(self) -> str:
        """The media type without its parameters."""
        return self.headers.get_content_type() if "Content-Type" in self.headers else ""

    @property
    def allow(self) -> set[str]:
        """The methods that the Allow header names."""
        return {method.strip() for method in self.headers.get("Allow", "").split(",")} - {""}

    def json(self) -> Any:
        """Return the body as JSON; BrokenRuleError when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise BrokenRuleError(f"the body is not JSON: {self.body[:80]!r}") from error


def connect(address: Address, timeout: float = TIMEOUT) -> HTTPConnection:
    """Return a connection that its first request opens."""
    if address.tls:
        context = ssl.create_default_context()
        return HTTPSConnection(address.host, address.port, timeout=timeout, context=context)
    return HTTPConnection(address.host, address.port, timeout=timeout)


def read_response(response: HTTPResponse) -> Response:
    """Read a whole response.

    Raises HTTPException when it is cut, and BrokenRuleError when it is longer than LARGEST bytes or
    takes longer than SLOWEST seconds.
    """
    latest = time.monotonic() + SLOWEST
    body = bytearray()
    while piece := response.read1(1 << 16):
        body += piece
        expect(len(body) <= LARGEST, f"a response is longer than {LARGEST >> 20} MiB")
        expect(time.monotonic() < latest, f"a response takes longer than {SLOWEST:g} s")
    if response.length:
        raise IncompleteRead(bytes(body), response.length)
    return Response(response.status, response.headers, bytes(body))


def ask(  # noqa: PLR0913, PLR0917 (the parts of a request)
    address: Address,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> Response:
    """Send one request on a new connection; BrokenRuleError when no response comes."""
    connection = connect(address, timeout)
    kind = {"Content-Type": "application/json"} if body is not None else {}
    try:
        connection.request(method, path, body, {**kind, **(headers or {})})
        return read_response(connection.getresponse())
    except (OSError, HTTPException) as error:
        raise BrokenRuleError(f"{method} {path[:80]} got no response: {error!r}") from error
    finally:
        connection.close()


def get(address: Address, path: str, **headers: str) -> Response:
    """GET a path; `x_auth_subject="a"` sends the header x-auth-subject."""
    return ask(address, "GET", path, headers=header_names(headers))


def post(address: Address, path: str, value: object, **headers: str) -> Response:
    """POST a value as JSON."""
    return ask(address, "POST", path, json.dumps(value).encode(), header_names(headers))


def header_names(headers: Mapping[str, str]) -> dict[str, str]:
    """Return header names for Python names."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def status(address: Address, path: str, timeout: float = 5.0) -> int:
    """Return the status of a GET, 0 when no response comes."""
    try:
        return ask(address, "GET", path, timeout=timeout).status
    except BrokenRuleError:
        return 0


def refuses(address: Address) -> bool:
    """Return whether a new connection is refused, or closed before a byte comes back."""
    try:
        where = (address.host, address.port)
        with socket.create_connection(where, timeout=TIMEOUT) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: contract\r\n\r\n")
            return connection.recv(1) == b""
    except (ConnectionError, TimeoutError):
        return True


def begin_post(address: Address, path: str, header: tuple[str, str]) -> HTTPConnection:
    """Send the head of a POST of JSON; the body follows."""
    connection = connect(address)
    try:
        connection.putrequest("POST", path)
        connection.putheader("Content-Type", "application/json")
        connection.putheader(*header)
        connection.endheaders()
    except OSError:
        connection.close()
        raise
    return connection


def send_raw(address: Address, data: bytes, wait: float = 0.5) -> None:
    """Send bytes, wait for a response, and close the connection."""
    with socket.create_connection((address.host, address.port), timeout=wait) as connection:
        try:
            connection.sendall(data)
            connection.recv(4096)
        except OSError:
            return


def read_raw(address: Address, method: str, path: str) -> bytes:
    """Send one request and return the raw response."""
    head = f"{method} {path} HTTP/1.1\r\nHost: contract\r\nConnection: close\r\n\r\n"
    with socket.create_connection((address.host, address.port), timeout=TIMEOUT) as connection:
        connection.sendall(head.encode())
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def until(condition: Callable[[], bool], seconds: float, pause: float = 0.1) -> float:
    """Wait until a condition holds and return the seconds; BrokenRuleError after `seconds`."""
    started = time.monotonic()
    while not condition():
        expect(time.monotonic() - started < seconds, f"waited {seconds:g} s without success")
        time.sleep(pause)
    return time.monotonic() - started
