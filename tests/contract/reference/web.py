"""The reference service's HTTP."""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.contract.reference import items, telemetry
from tests.contract.reference.document import document
from tests.contract.reference.items import DEADLINE, PASSED, Calls, Database, ProblemError
from tests.contract.reference.settings import NAME, broken, log

LIMIT = 1_048_576
HEADERS = 48 * 1024
PATH = f"/v1/{NAME}"
PROBES = ("/livez", "/readyz", "/metrics")
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}  # Python 3.11 has older ones


@dataclass
class State:
    """What requests and the end of the process know of each other."""

    database: Database
    calls: Calls
    draining: bool = False
    flying: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


Reply = tuple[int, str, bytes, dict[str, str]]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 0.1 if broken("client-slow") else None
    state: State
    trace: tuple[str, str, str]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.treat
        raise AttributeError(name)

    def treat(self) -> None:
        """Answer one request, whatever its method."""
        with self.state.lock:
            self.state.flying += 1
        try:
            self.answer_and_report()
        finally:
            with self.state.lock:
                self.state.flying -= 1

    def answer_and_report(self) -> None:
        began = time.monotonic()
        self.trace = telemetry.trace_of(self.headers.get("traceparent", ""))
        path = urlsplit(self.path).path
        route, methods = self.route(path)
        try:
            reply = self.answer(route, methods)
        except ProblemError as problem:
            reply = self.problem(problem, methods)
        except Exception:
            stack = traceback.format_exc()
            log("error", "unhandled exception", self.trace[:2], exception=stack)
            detail = stack if broken("unhandled-exception") else "Internal error."
            reply = self.problem(ProblemError(500, detail), methods)
        self.report(route, path, reply[0], time.monotonic() - began)
        self.reply(reply)

    def route(self, path: str) -> tuple[str, dict[str, Callable[[], Reply]]]:
        """Find the route of a path and its methods."""
        routes: dict[str, dict[str, Callable[[], Reply]]] = {
            "/livez": {"GET": lambda: self.text(204 if broken("livez") else 200)},
            "/readyz": {"GET": self.readyz},
            "/metrics": {"GET": self.metrics},
            "/openapi.json": {"GET": lambda: self.json(200, document())},
            PATH: {"GET": self.list_items, "POST": self.create},
            f"{PATH}/summary": {"GET": self.summary},
            f"{PATH}/{{id}}": {"GET": self.get_item},
        }
        item = re.fullmatch(f"{PATH}/[^/]+", path) and path not in routes
        found = f"{PATH}/{{id}}" if item else path
        return (found, routes[found]) if found in routes else ("", {})

    def answer(self, route: str, methods: dict[str, Callable[[], Reply]]) -> Reply:
        if not route and broken("path-unknown") and self.path.endswith("/"):
            return 307, "", b"", {"Location": self.path.rstrip("/")}
        self.check_head()
        if not route:
            raise ProblemError(404, "no such path")
        if self.command == "OPTIONS":
            return (200 if broken("options") else 204), "", b"", {"Allow": allow(methods)}
        wanted = "GET" if self.command == "HEAD" and not broken("head") else self.command
        if wanted not in methods:
            raise ProblemError(405, "no such method")
        return methods[wanted]()

    def check_head(self) -> None:
        size = sum(len(name) + len(value) + 4 for name, value in self.headers.items())
        if size > HEADERS and not broken("headers-large"):
            raise ProblemError(431, "the headers are too large")
        if broken("multipart") and self.headers.get("Content-Type", "").startswith("multipart"):
            raise LookupError("no boundary")
        try:
            unquote(self.path, errors="strict")
            decodable = not re.search("%(?![0-9A-Fa-f]{2})", self.path)
        except ValueError:
            decodable = False
        if not (decodable or broken("query-undecodable")):
            raise ProblemError(400, "not percent-encoded UTF-8")

    def problem(self, problem: ProblemError, methods: dict[str, Callable[[], Reply]]) -> Reply:
        status = problem.status
        self.close_connection = status in {413, 415}  # the body is not read
        members = {
            "type": "about:blank",
            "title": TITLES.get(status) or HTTPStatus(status).phrase,
            "status": status,
            "detail": problem.detail,
            **({"errors": problem.errors} if problem.errors else {}),
        }
        named = status == 405 and not broken("method-unknown")
        headers = {"Allow": allow(methods)} if named else {}
        return status, "application/problem+json", json.dumps(members).encode(), headers

    def reply(self, reply: Reply) -> None:
        status, kind, body, headers = reply
        self.send_response_only(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            if value:
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        if self.state.draining:
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)

    def report(self, route: str, path: str, status: int, seconds: float) -> None:
        telemetry.measure(self.command, route, path, status, seconds)
        if path in PROBES and not broken("log-probes"):
            return
        longest = 10_000 if broken("log-length") else 1_000
        members = {
            "http_request_method": self.command,
            "url_path": path[:longest],
            "http_route": route,
            "http_response_status_code": status,
            "duration_seconds": str(seconds) if broken("log-request") else seconds,
            "request_id": self.headers.get("x-request-id", "")[:100],
            **({"url_query": self.path} if broken("log-secrets") else {}),
        }
        if broken("log-request-id"):
            del members["request_id"]
        log("info", "request", self.trace[:2], **members)
        if broken("log-client-error") and status == 404:
            log("warning", "no such path", self.trace[:2])
        if broken("log-lines") and not route:
            print(f"not found: {path}", flush=True)

    def json(self, status: int, value: object, **headers: str) -> Reply:
        return status, "application/json", json.dumps(value).encode(), headers

    def text(self, status: int) -> Reply:
        return status, "text/plain", b"", {}

    def readyz(self) -> Reply:
        if self.state.draining and not broken("drain-readyz"):
            raise ProblemError(503, "the service leaves")
        if not self.state.database.up:
            raise ProblemError(503, "the database cannot be reached")
        return self.text(204 if broken("readyz") else 200)

    def metrics(self) -> Reply:
        kind = "text/plain" if broken("metrics") else "text/plain; version=0.0.4"
        return 200, kind, telemetry.metrics().encode(), {}

    def list_items(self) -> Reply:
        self.state.database.demand()
        return self.json(200, items.page(self.state.database, self.query()))

    def create(self) -> Reply:
        kind = self.headers.get_content_type() if "Content-Type" in self.headers else ""
        if kind != "application/json" and not broken("body-media-type"):
            raise ProblemError(415, "not JSON")
        body = self.body()
        self.state.database.demand()
        item = items.create(self.state.database, body)
        host = "http://localhost" if broken("create") else ""
        return self.json(201, item, Location=f"{host}{PATH}/{item['id']}")

    def get_item(self) -> Reply:
        self.state.database.demand()
        key = urlsplit(self.path).path.rpartition("/")[2]
        return self.json(200, items.get(self.state.database, key))

    def summary(self) -> Reply:
        names = (*PASSED, DEADLINE)
        passed = {name: self.headers[name] for name in names if name in self.headers}
        if broken("identity"):
            passed.pop("x-auth-scopes", None)
        if not broken("trace-passed-on"):
            passed["traceparent"] = "00-{}-{}-{}".format(*self.trace)
        return self.json(
            200, items.summary(self.state.database, self.state.calls, self.query(), passed)
        )

    def query(self) -> dict[str, str]:
        pairs = parse_qsl(urlsplit(self.path).query, keep_blank_values=True)
        names = [name for name, _value in pairs]
        if len(names) > len(set(names)) and not broken("query-repeated"):
            raise items.faulty(max(names, key=names.count))
        return dict(pairs)

    def body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return self.chunks()
        length = int(self.headers.get("Content-Length") or 0)
        if length > LIMIT:
            raise ProblemError(400 if broken("body-too-large") else 413, "more than 1 MiB")
        body = self.rfile.read(length)
        if len(body) < length and broken("connection-broken"):
            return b'{"name": "half"}'
        return body

    def chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
            if len(body) > LIMIT:
                raise ProblemError(400 if broken("body-too-large-chunked") else 413, "too large")
        return body

    def log_message(self, *_arguments: object) -> None:
        return


def allow(methods: dict[str, Callable[[], Reply]]) -> str:
    return ", ".join([*methods, "HEAD", "OPTIONS"])
