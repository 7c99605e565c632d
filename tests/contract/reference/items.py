"""The reference service's resource and its calls."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from tests.contract.reference.settings import CALLEE, NAME, broken, log

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
INTEGER = re.compile(r"-?[0-9]+")
PAUSE = 0.05  # seconds before a call is repeated
PASSED = ("authorization", "x-auth-subject", "x-auth-scopes")


@dataclass
class ProblemError(Exception):
    status: int
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Database:
    """A TCP server that answers `!` to `?` stands for one; items are in memory."""

    url: str
    up: bool = False
    items: list[dict[str, str]] = field(default_factory=list)

    def reachable(self) -> bool:
        parts = urlsplit(self.url)
        try:
            with socket.create_connection((parts.hostname, parts.port or 5432), 1) as connection:
                connection.sendall(b"?")
                return connection.recv(1) == b"!"
        except OSError:
            return False

    def watch(self) -> None:
        """Look once a second; complain every five."""
        self.up = self.reachable()
        first, passed = self.up, 0
        while True:
            if not self.up and passed % 5 == 0 and not broken("database-unreachable"):
                log("warning", "the database cannot be reached")
            time.sleep(1)
            passed += 1
            up = self.reachable()
            if not (broken("database-lost") and not up) and not (
                broken("database-returns") and not first
            ):
                self.up = up

    def demand(self) -> None:
        if not self.up:
            status = 500 if broken("database-request") else 503
            raise ProblemError(status, "the database cannot be reached")
        if "options=" in self.url:
            raise LookupError("no such table")


def faulty(parameter: str) -> ProblemError:
    return ProblemError(422, "malformed", [{"detail": "malformed", "parameter": parameter}])


def create(database: Database, body: bytes) -> dict[str, str]:
    try:
        lenient = broken("body-encoding")  # Python guesses the encoding of bytes
        value = json.loads(body if lenient else body.decode(), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ProblemError(422 if broken("body-unparsable") else 400, "not JSON") from error
    errors = [{"detail": "wrong", "pointer": f"#/{name}"} for name in faults(value)]
    if errors:
        raise ProblemError(422, "not an item", [] if broken("body-invalid") else errors)
    item = {"id": str(uuid.uuid4()), "name": value["name"], "created_at": now()}
    database.items.append(item)
    return item


def refuse(constant: str) -> None:
    raise ValueError(constant)


def faults(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return [""]
    well = readable(value.get("name"))
    return [*([] if well else ["name"]), *(set(value) - {"name"})]


def readable(name: object) -> bool:
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        return False
    half = any("\ud800" <= one <= "\udfff" for one in name)
    return broken("item-text") or not (CONTROL.search(name) or half)


def now() -> str:
    text = datetime.now(UTC).isoformat()
    return text if broken("item-shape") else text[:19] + "Z"


def get(database: Database, key: str) -> dict[str, str]:
    try:
        wanted = str(uuid.UUID(key)) if len(key) == 36 else str(int("no UUID"))
    except ValueError as error:
        raise (ProblemError(404, "no") if broken("item-malformed") else faulty("id")) from error
    for item in database.items:
        if item["id"] == wanted:
            return item
    raise ProblemError(410 if broken("item-unknown") else 404, "no such item")


def page(database: Database, query: Mapping[str, str]) -> dict[str, Any]:
    limit = number(query, "limit", 25 if broken("list-default") else 20, 1, 100)
    cursor = query.get("cursor", "c0")
    if not re.fullmatch(r"c\d{1,9}", cursor):
        raise faulty("cursor")
    begin = int(cursor[1:])
    end = begin + limit
    following = end - 1 if broken("list-pages") else end
    return {
        "items": database.items[begin:end],
        "next": f"c{following}" if end < len(database.items) else None,
    }


def number(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    try:
        text = str(query.get(name, default))
        value = int(text if broken("query-integer") or INTEGER.fullmatch(text) else "no integer")
    except ValueError as error:
        raise faulty(name) from error
    rule = "list-limits" if name == "limit" else "summary-depth"
    if not low <= value <= high and not broken(rule):
        raise faulty(name)
    return value


DEADLINE = "x-envoy-expected-rq-timeout-ms"


class Calls:
    """The reference service's client of the one service that it calls."""

    def __init__(self, url: str) -> None:
        self.url = urlsplit(url)
        self.last: dict[str, str] = {}
        self.lock = threading.Lock()

    def summary(self, depth: int, headers: dict[str, str]) -> Any:
        if broken("identity-apart"):
            self.last.update(headers)
            headers = {**self.last, **headers}
        asked = depth if broken("call-depth-counted") else depth - 1
        for left in (0,) if broken("call-retried") else (1, 0):
            with contextlib.suppress(_AgainError):
                time.sleep(0 if left else PAUSE)
                return self._ask(f"/v1/{CALLEE}/summary?depth={asked}", headers, left)
        raise ProblemError(502, f"{CALLEE} does not answer")

    def _ask(self, path: str, headers: dict[str, str], left: int) -> Any:
        proxy = os.environ.get("HTTP_PROXY") if broken("call-direct") else None
        url = urlsplit(proxy) if proxy else self.url
        left_of_request = 2000 if broken("call-deadline") else int(headers.get(DEADLINE, 2000))
        most = min(2.0, left_of_request / 1000)
        if most == 0:
            raise ProblemError(504, f"{CALLEE} is slow")
        connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=most)
        try:
            headers = {**headers, DEADLINE: str(int(most * 1000))}
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            status, body = response.status, response.read()
        except TimeoutError as error:
            raise ProblemError(502 if broken("call-slow") else 504, f"{CALLEE} is slow") from error
        except (OSError, http.client.HTTPException) as error:
            if broken("call-refused") and isinstance(error, ConnectionRefusedError):
                raise ProblemError(500, "oh") from error
            raise _AgainError from error
        finally:
            connection.close()
        if status == 503 and left:
            raise _AgainError
        value = json.loads(body)
        if status != 200 or not (isinstance(value, dict) or broken("call-failed")):
            raise ProblemError(502, f"{CALLEE} failed")
        return value


class _AgainError(Exception):
    pass


def summary(database: Database, calls: Calls, query: Mapping[str, str], headers: Any) -> Any:
    depth = number(query, "depth", 1, 0, 8)
    calling = depth > 0 or broken("call-depth-zero")
    return {
        "service": "" if broken("summary") else NAME,
        "items": len(database.items),
        "calls": {CALLEE: calls.summary(depth, headers) if calling else None},
    }
