"""Errors: RFC 9457 problem documents for every wrong request."""

from __future__ import annotations

import contextlib
import select
from http.client import HTTPConnection, HTTPException
from typing import Any

from svcgen.contract.check import Check
from svcgen.contract.context import CheckContext, path_templates
from svcgen.contract.expect import BrokenRuleError, expect
from svcgen.contract.http import (
    Response,
    ask,
    begin_post,
    get,
    post,
    read_response,
    send_raw,
)

LIMIT = 1_048_576  # bytes of a body
LARGE = 10 * LIMIT  # bytes of a body that is refused
PIECE = b" " * 65_536
CHUNK = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
# RFC 9110, section 15: the title of a problem of type about:blank (RFC 9457, 4.2.1).
TITLES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
TRACES = ("traceback", "goroutine ", "\tat ", "    at ", 'file "', "select ", "insert ")


def problem(seen: Response, status: int) -> dict[str, Any]:
    """Expect a problem document of this status and return its members."""
    expect(seen.status == status, f"the status is {seen.status}, not {status}: {seen.body[:200]!r}")
    expect(seen.kind == "application/problem+json", f"the type is {seen.kind}")
    value = seen.json()
    expect(isinstance(value, dict), f"the body is {value!r}")
    head = {name: value.get(name) for name in ("type", "title", "status")}
    wanted = {"type": "about:blank", "title": TITLES[status], "status": status}
    expect(head == wanted, f"the problem is {head}, not {wanted}")
    expect(isinstance(value.get("detail"), str) and value["detail"], "there is no detail")
    expect(not traces(seen.body.decode()), f"a trace: {seen.body!r}")
    if status == 422:
        expect(is_error_list(value.get("errors")), f"errors are {value.get('errors')!r}")
    return dict(value)


def traces(text: str) -> list[str]:
    """Return the signs of a stack trace or of SQL in a text."""
    return [trace for trace in TRACES if trace in text.lower()]


def is_error_list(errors: object) -> bool:
    """Return whether errors have the form of docs/contract.md."""
    return (
        isinstance(errors, list)
        and bool(errors)
        and all(
            isinstance(error, dict)
            and isinstance(error.get("detail"), str)
            and len({"pointer", "parameter"} & set(error)) == 1
            for error in errors
        )
    )


def path_unknown(context: CheckContext) -> None:
    for path in (
        "/",
        "/v1",
        "/nothing",
        f"{context.readable}/",
        f"{context.readable}s",
        "/v1/%2e%2e/livez",
    ):
        expect_unknown(context, path)
    below = f"{context.readable};/summary"
    for path in (f"{context.readable};x=1", below, "/livez;x", "/metrics;x"):
        expect_unknown(context, path)


def expect_unknown(context: CheckContext, path: str) -> None:
    """Expect a 404, unless the path can be that of an operation: /v1/orders/{id} matches many."""
    if not any(template.fullmatch(path) for template in context.cached(path_templates)):
        problem(get(context.address, path), 404)


def body_unparsable(context: CheckContext) -> None:
    texts = (b"{", b"name=x", b'{"name": "x",}', b'{"name": "\xff"}', b'{"name": NaN}')
    for body in (*texts, b"[" * 100_000):
        problem(ask(context.address, "POST", context.path, body), 400)


def body_invalid(context: CheckContext) -> None:
    empty: dict[str, object] = {}
    for value, pointer in (
        (empty, "#/name"),
        ({"name": 1}, "#/name"),
        ({"name": ""}, "#/name"),
        ({"name": "x" * 201}, "#/name"),
        ({"name": "x", "nmae": "y"}, "#/nmae"),
    ):
        errors = problem(post(context.address, context.path, value), 422)["errors"]
        named = [error.get("pointer") for error in errors]
        expect(pointer in named, f"{value}: the pointers are {named}, not {pointer}")
    for text in ("[]", '"x"', "null", "7"):
        problem(ask(context.address, "POST", context.path, text.encode()), 422)


def body_too_large(context: CheckContext) -> None:
    whole = b'{"name": "large"}'.ljust(LIMIT)
    read = ask(context.address, "POST", context.path, whole)
    expect(read.status == 201, f"a body of 1 MiB is {read.status}")
    connection = begin_post(context.address, context.path, ("Content-Length", str(LARGE)))
    with contextlib.closing(connection):
        connection.send(PIECE)
        problem(last(connection), 413)
    problem(send_large_body(context, ("Content-Length", str(LARGE)), PIECE), 413)


def body_too_large_chunked(context: CheckContext) -> None:
    problem(send_large_body(context, ("Transfer-Encoding", "chunked"), CHUNK), 413)


def send_large_body(context: CheckContext, header: tuple[str, str], piece: bytes) -> Response:
    """Send a large body until the response comes."""
    connection = begin_post(context.address, context.path, header)
    with contextlib.suppress(OSError):  # the server may respond early and close
        for _ in range(LARGE // len(PIECE)):
            if select.select([connection.sock], [], [], 0)[0]:
                break
            connection.send(piece)
    return last(connection)


def last(connection: HTTPConnection) -> Response:
    """Read the response of a connection and close it."""
    try:
        return read_response(connection.getresponse())
    except (OSError, HTTPException) as error:
        raise BrokenRuleError(f"no response: {error!r}") from error
    finally:
        connection.close()


def connection_broken(context: CheckContext) -> None:
    before = get(context.address, f"{context.path}/summary?depth=0").json()["items"]
    head = f"POST {context.path} HTTP/1.1\r\nHost: contract\r\nContent-Type: application/json\r\n"
    for data in (
        f'{head}Content-Length: 90\r\n\r\n{{"name": "half"',
        "\x16\x03\x01\x02",
        "GET /\r\n",
    ):
        send_raw(context.address, data.encode())
    answer = get(context.address, f"{context.path}/summary?depth=0")
    expect(answer.status == 200, f"the next request is {answer.status}")
    expect(answer.json()["items"] == before, "half a body was stored")


CHECKS = (
    Check("path-unknown", "an unknown path is 404, also one with an extra /", path_unknown),
    Check("body-unparsable", "what is not JSON is 400", body_unparsable),
    Check("body-invalid", "JSON of another shape is 422 with a pointer", body_invalid),
    Check("body-too-large", "more than 1 MiB announced is 413, 1 MiB is read", body_too_large),
    Check("body-too-large-chunked", "more than 1 MiB in chunks is 413", body_too_large_chunked),
    Check("connection-broken", "a broken connection affects no other request", connection_broken),
)
