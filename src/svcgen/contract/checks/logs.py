"""Logs: one JSON object a line."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from svcgen.contract.check import Check
from svcgen.contract.checks.problems import problem
from svcgen.contract.checks.resource import TIME
from svcgen.contract.context import VERSION, CheckContext, marker, without_schema
from svcgen.contract.expect import BrokenRuleError, expect
from svcgen.contract.http import Response, ask, get, send_raw, until
from svcgen.contract.targets.base import DATABASE, START, Output

LOGGED = 5.0  # seconds until a line is read, on a busy machine
LONGEST_PATH, LONGEST_ID = 1_000, 100  # characters in a log line
LEVELS = {"debug", "info", "warning", "error"}
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # a terminal acts on these
HEXADECIMAL = re.compile(r"([0-9a-f]{32} [0-9a-f]{16})| ")
MEMBERS: dict[str, type | tuple[type, ...]] = {
    "http_request_method": str,
    "url_path": str,
    "http_route": str,
    "http_response_status_code": int,
    "duration_seconds": (int, float),
}


def requests(output: Output, path: str) -> list[dict[str, Any]]:
    """Return the request lines of a path."""
    lines = output.entries()
    return [one for one in lines if one.get("msg") == "request" and one.get("url_path") == path]


def request_line(output: Output, path: str) -> dict[str, Any]:
    """Wait for the one request line of a path."""
    try:
        until(lambda: bool(requests(output, path)), LOGGED)
    except BrokenRuleError as error:
        raise BrokenRuleError(f"no request line for {path[:80]} in {LOGGED:g} s") from error
    found = requests(output, path)
    expect(len(found) == 1, f"{len(found)} request lines for {path[:80]}")
    return found[0]


def log_lines(context: CheckContext) -> None:
    path = f"/{marker()}"
    for hostile in (f"{path}%0A%0D%1b", f"{path}%ff%00", f'{path}"}}', f"{path}%E2%80%A8%C2%9B%7F"):
        get(context.address, hostile, user_agent='"}\t\x7f')
    send_raw(context.address, b"\x00\xff nonsense\r\n\r\n")
    get(context.address, path)
    request_line(context.output, path)
    lines = list(context.output.lines)
    raw = [line for line in lines if CONTROL.search(line)]
    expect(not raw, f"control characters are not escaped: {raw[:1]}")
    entries = context.output.entries()
    expect(len(entries) == len(lines), f"not JSON objects: {not_log_lines(context.output)}")
    for entry in entries:
        well_formed(context, entry)
    errors = [line for line in context.output.errors if not line.startswith("make")]
    expect(not errors, f"stderr is not empty: {errors[:3]}")


def not_log_lines(output: Output) -> list[str]:
    """Return up to three lines that are not log lines."""
    return [line for line in list(output.lines) if not line.startswith("{")][:3]


def well_formed(context: CheckContext, entry: dict[str, Any]) -> None:
    """Expect the members that every log line has."""
    expect(TIME.fullmatch(str(entry.get("time"))), f"time: {entry}")
    expect(entry.get("level") in LEVELS, f"level: {entry}")
    expect(isinstance(entry.get("msg"), str), f"msg: {entry}")
    named = (entry.get("service"), entry.get("version"))
    expect(named == (context.service.name, VERSION), f"service, version: {entry}")
    ids = f"{entry.get('trace_id')} {entry.get('span_id')}"
    expect(HEXADECIMAL.fullmatch(ids), f"trace_id, span_id: {entry}")


def log_request(context: CheckContext) -> None:
    path = f"{context.path}/{marker()}x"
    status = get(context.address, path).status
    line = request_line(context.output, path)
    for member, kind in MEMBERS.items():
        expect(isinstance(line.get(member), kind), f"{member}: {line}")
    logged = (line["http_request_method"], line["http_route"], line["http_response_status_code"])
    wanted = ("GET", f"{context.path}/{{id}}", status)
    expect(logged == wanted, f"the line has {logged}, not {wanted}")
    expect(line["trace_id"], f"a request line without trace_id: {line}")


def log_request_id(context: CheckContext) -> None:
    path, sent = f"/{marker()}", marker()
    get(context.address, path, x_request_id=sent)
    line = request_line(context.output, path)
    expect(line.get("request_id") == sent, f"request_id is not {sent}: {line}")
    path = f"/{marker()}"
    get(context.address, path)
    line = request_line(context.output, path)
    expect(line.get("request_id") == "", f"request_id without the header: {line}")


def log_client_error(context: CheckContext) -> None:
    for method, path in (("GET", "/nothing"), ("DELETE", context.path), ("GET", "/%zz")):
        _answer, lines = lines_of(context, partial(ask, context.address, method, path))
        expect(len(lines) == 1, f"{method} {path} has {len(lines)} log lines: {lines}")


def lines_of(context: CheckContext, send: Callable[[], Response]) -> tuple[Response, list[str]]:
    """Send a request and return its answer, and the lines until the one of another request."""
    before = _logged(context)
    answer = send()
    with suppress(BrokenRuleError):  # its line may be later than that of the other request
        until(lambda: len(context.output.lines) > before, 0.2, 0.01)
    return answer, context.output.lines[before : _logged(context) - 1]


def _logged(context: CheckContext) -> int:
    """Return the number of lines when the last one is of a new request."""
    path = f"/{marker()}"
    get(context.address, path)
    request_line(context.output, path)
    return len(context.output.lines)


def log_length(context: CheckContext) -> None:
    path = f"/{marker()}" + "x" * 4_000
    get(context.address, path, x_request_id="y" * 1_000)
    line = request_line(context.output, path[:LONGEST_PATH])
    length = len(line.get("request_id", ""))
    expect(length == LONGEST_ID, f"request_id has {length} characters, not {LONGEST_ID}")


def log_probes(context: CheckContext) -> None:
    probes = ("/livez", "/readyz", "/metrics")
    for probe in probes:
        get(context.address, probe)
    path = f"/{marker()}"
    get(context.address, path)
    request_line(context.output, path)  # earlier lines have been read then
    logged = [probe for probe in probes if requests(context.output, probe)]
    expect(not logged, f"request lines for {logged}")


def log_level(context: CheckContext) -> None:
    with context.ready(LOG_LEVEL="ERROR", DRAIN_SECONDS="0") as running:
        get(running.address, "/nothing")
        running.signal(15)
        running.exit_code(30)
        lines = running.output.lines
        expect(not lines, f"{len(lines)} lines with LOG_LEVEL=error: {lines[:2]}")


def log_secrets(context: CheckContext) -> None:
    query, token, path = marker(), marker(), f"/{marker()}"
    headers = {"Authorization": f"Bearer {token}"}
    ask(context.address, "GET", f"{path}?token={query}", headers=headers)
    ask(context.address, "GET", f"{context.readable}?token={query}%ff", headers=headers)
    request_line(context.output, path)
    password = urlsplit(context.database_url).password or query
    for secret in (query, token, f":{password}@"):
        shown = [line for line in list(context.output.lines) if secret in line]
        expect(not shown, f"a secret is logged: {shown[:1]}")


def unhandled_exception(context: CheckContext) -> None:
    """Start on a database without tables, which raises an unhandled exception."""
    path = context.path
    with context.start(DATABASE_URL=without_schema(context.database_url)) as running:
        running.wait_for("/readyz", context.start_timeout)
        problem(get(running.address, path), 500)
        line = request_line(running.output, path)
        errors = [one for one in running.output.entries() if one.get("level") == "error"]
        expect(len(errors) == 1, f"{len(errors)} log lines of level error, not one: {errors}")
        expect(errors[0]["trace_id"] == line["trace_id"], f"it has another trace: {errors[0]}")
        expect(not not_log_lines(running.output), f"not log lines: {not_log_lines(running.output)}")


WATCHED = frozenset({START})
CHECKS = (
    Check("log-lines", "every line is an object with all members", log_lines, WATCHED),
    Check("log-request", "a line for each request", log_request, WATCHED),
    Check("log-request-id", "its line has the id of the request", log_request_id, WATCHED),
    Check("log-client-error", "a wrong request has only this line", log_client_error, WATCHED),
    Check("log-length", "a client cannot make a line long", log_length, WATCHED),
    Check("log-probes", "and none for probes", log_probes, WATCHED),
    Check("log-level", "LOG_LEVEL is respected", log_level, WATCHED, alone=True),
    Check("log-secrets", "no query, token or password", log_secrets, WATCHED),
    Check(
        "unhandled-exception",
        "an unhandled exception is 500, and one log line in its trace",
        unhandled_exception,
        WATCHED | {DATABASE},
        alone=True,
    ),
)
