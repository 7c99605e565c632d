"""Errors: RFC 9457 problems, whatever a client sends."""

from __future__ import annotations

import contextlib
import select
from http.client import HTTPConnection, HTTPException
from typing import Any

from svcgen.contract.check import Check
from svcgen.contract.context import Bench
from svcgen.contract.expect import BrokenRuleError, expect
from svcgen.contract.http import Answer, answer, ask, connect, get, post, send_raw

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
    422: "Unprocessable Content",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
TRACES = ("traceback", "goroutine ", "\tat ", "    at ", 'file "', "select ", "insert ")


def problem(seen: Answer, status: int) -> dict[str, Any]:
    """Expect a problem of this status and return its members."""
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
        expect(listed(value.get("errors")), f"errors are {value.get('errors')!r}")
    return dict(value)


def traces(text: str) -> list[str]:
    """Return what a text has of stack traces and of SQL, in any language."""
    return [trace for trace in TRACES if trace in text.lower()]


def listed(errors: object) -> bool:
    """Tell whether errors are what docs/contract.md says."""
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


def path_unknown(bench: Bench) -> None:
    for path in ("/", "/v1", "/nothing", f"{bench.path}/", f"{bench.path}s", "/v1/%2e%2e/livez"):
        problem(get(bench.address, path), 404)
    for parameters in (";x=1", ";/summary"):
        problem(get(bench.address, bench.path + parameters), 404)


def body_unparsable(bench: Bench) -> None:
    for body in (b"{", b"name=x", b'{"name": "x",}', b'{"name": "\xff"}', b"[" * 100_000):
        problem(ask(bench.address, "POST", bench.path, body), 400)


def body_invalid(bench: Bench) -> None:
    empty: dict[str, object] = {}
    for value, pointer in (
        (empty, "#/name"),
        ({"name": 1}, "#/name"),
        ({"name": ""}, "#/name"),
        ({"name": "x" * 201}, "#/name"),
        ({"name": "x", "nmae": "y"}, "#/nmae"),
    ):
        errors = problem(post(bench.address, bench.path, value), 422)["errors"]
        named = [error.get("pointer") for error in errors]
        expect(pointer in named, f"{value}: the pointers are {named}, not {pointer}")
    for text in ("[]", '"x"', "null", "7"):
        problem(ask(bench.address, "POST", bench.path, text.encode()), 422)


def body_too_large(bench: Bench) -> None:
    whole = b'{"name": "large"}'.ljust(LIMIT)
    read = ask(bench.address, "POST", bench.path, whole)
    expect(read.status == 201, f"a body of 1 MiB is {read.status}")
    connection = opened(bench, ("Content-Length", str(LARGE)))
    connection.send(PIECE)
    problem(last(connection), 413)
    problem(poured(bench, ("Content-Length", str(LARGE)), PIECE), 413)


def body_too_large_chunked(bench: Bench) -> None:
    problem(poured(bench, ("Transfer-Encoding", "chunked"), CHUNK), 413)


def poured(bench: Bench, header: tuple[str, str], piece: bytes) -> Answer:
    """Send a large body until an answer comes."""
    connection = opened(bench, header)
    with contextlib.suppress(OSError):  # an early answer may come with an end
        for _ in range(LARGE // len(PIECE)):
            if select.select([connection.sock], [], [], 0)[0]:
                break
            connection.send(piece)
    return last(connection)


def opened(bench: Bench, header: tuple[str, str]) -> HTTPConnection:
    """Begin a POST whose body is to follow."""
    connection = connect(bench.address)
    connection.putrequest("POST", bench.path)
    connection.putheader("Content-Type", "application/json")
    connection.putheader(*header)
    connection.endheaders()
    return connection


def last(connection: HTTPConnection) -> Answer:
    """Read the answer of a connection and end it."""
    try:
        return answer(connection.getresponse())
    except (OSError, HTTPException) as error:
        raise BrokenRuleError(f"no answer: {error!r}") from error
    finally:
        connection.close()


def connection_broken(bench: Bench) -> None:
    before = get(bench.address, f"{bench.path}/summary?depth=0").json()["items"]
    head = f"POST {bench.path} HTTP/1.1\r\nHost: contract\r\nContent-Type: application/json\r\n"
    for data in (
        f'{head}Content-Length: 90\r\n\r\n{{"name": "half"',
        "\x16\x03\x01\x02",
        "GET /\r\n",
    ):
        send_raw(bench.address, data.encode())
    answer = get(bench.address, f"{bench.path}/summary?depth=0")
    expect(answer.status == 200, f"the next request is {answer.status}")
    expect(answer.json()["items"] == before, "half a body was stored")


CHECKS = (
    Check("path-unknown", "an unknown path is 404, a / too many too", path_unknown),
    Check("body-unparsable", "what is not JSON is 400", body_unparsable),
    Check("body-invalid", "JSON of another shape is 422 with a pointer", body_invalid),
    Check("body-too-large", "more than 1 MiB announced is 413, 1 MiB is read", body_too_large),
    Check("body-too-large-chunked", "more than 1 MiB in chunks is 413", body_too_large_chunked),
    Check("connection-broken", "a broken connection harms no one", connection_broken),
)
