"""Input: encodings, media types, query parameters and sizes that every service treats alike."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPException

from svcgen.contract.check import Check
from svcgen.contract.checks.problems import problem
from svcgen.contract.context import CheckContext
from svcgen.contract.expect import BrokenRuleError, expect
from svcgen.contract.http import Response, ask, connect, get, read_response

ITEM = '{"name": "encoded"}'
NOT_UTF_8 = (
    *(ITEM.encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")),
    b'{"name": "\xc0\xae"}',  # an overlong form of a dot
    b'{"name": "\xed\xa0\x80"}',  # half a surrogate pair
)
MULTIPART = "multipart/form-data"
MEDIA_TYPES = (
    "text/plain",
    "application/x-www-form-urlencoded",
    MULTIPART,
    f"{MULTIPART};boundary=x",
    "",
)
UNDECODABLE = ("?%", "?a=%ff", "?limit=%zz", "?limit=1&token=a%ff", "/%zz", "/%ff", "/%c0%ae")
NOT_INTEGERS = ("0x10", "1e1", "1_0", "", "%EF%BC%91", "%2B5", "%205", "5.0")
HEADERS = 48 * 1024  # bytes of header lines that a service accepts
TOO_LARGE = 56 * 1024


def send(
    context: CheckContext,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
) -> Response:
    """Send exactly these headers, without a Content-Type of the suite's own."""
    connection = connect(context.address)
    try:
        connection.request(method, path, body, dict(headers))
        return read_response(connection.getresponse())
    except (OSError, HTTPException) as error:
        raise BrokenRuleError(f"{method} {path} got no response: {error!r}") from error
    finally:
        connection.close()


def body_encoding(context: CheckContext) -> None:
    for body in NOT_UTF_8:
        problem(ask(context.address, "POST", context.path, body), 400)


def body_media_type(context: CheckContext) -> None:
    for kind in MEDIA_TYPES:
        headers = {"Content-Type": kind} if kind else {}
        problem(send(context, "POST", context.path, headers, ITEM.encode()), 415)
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    read = send(context, "POST", context.path, headers, ITEM.encode())
    expect(read.status == 201, f"{headers['Content-Type']} is {read.status}")


def multipart(context: CheckContext) -> None:
    for path, method, status in (
        ("/livez", "GET", 200),
        ("/readyz", "GET", 200),
        (f"{context.path}/summary?depth=0", "GET", 200),
        ("/nothing", "GET", 404),
        ("/nothing", "POST", 404),
        (context.path, "DELETE", 405),
    ):
        for kind in (MULTIPART, f"{MULTIPART}; boundary=x"):
            body = b"--x\r\n" if method == "POST" else None
            seen = send(context, method, path, {"Content-Type": kind}, body).status
            expect(seen == status, f"{method} {path} with {kind} is {seen}, not {status}")


def query_undecodable(context: CheckContext) -> None:
    for target in UNDECODABLE:
        problem(get(context.address, context.path + target), 400)
    for accepted in ("?=", "?=1&limit=1", "?limit=1&other=%E2%82%AC+a"):
        seen = get(context.address, context.path + accepted).status
        expect(seen == 200, f"{accepted} is {seen}")


def query_integer(context: CheckContext) -> None:
    for text in NOT_INTEGERS:
        refused(context, f"{context.path}?limit={text}", "limit")
        refused(context, f"{context.path}/summary?depth={text}", "depth")


def query_repeated(context: CheckContext) -> None:
    refused(context, f"{context.path}?limit=1&limit=2", "limit")
    refused(context, f"{context.path}?limit=1&limit=1", "limit")
    refused(context, f"{context.path}/summary?depth=0&depth=0", "depth")


def refused(context: CheckContext, path: str, parameter: str) -> None:
    """Expect a 422 that names the parameter."""
    errors = problem(get(context.address, path), 422)["errors"]
    named = [error.get("parameter") for error in errors]
    expect(parameter in named, f"{path}: the parameters are {named}")


def headers_large(context: CheckContext) -> None:
    one = send(context, "GET", "/livez", {"X-Large": "x" * (HEADERS - 1024)})
    expect(one.status == 200, f"{HEADERS} bytes of headers are {one.status}")
    expect(send(context, "GET", "/livez", many(44)).status == 200, "44 headers are refused")
    problem(send(context, "GET", "/livez", {"X-Large": "x" * TOO_LARGE}), 431)
    problem(send(context, "GET", "/livez", many(80)), 431)  # also above a server's own limit


def many(count: int) -> dict[str, str]:
    """Return headers of about 1 KiB each."""
    return {f"X-Large-{number}": "x" * 1000 for number in range(count)}


CHECKS = (
    Check("body-encoding", "JSON that is not UTF-8 is 400", body_encoding),
    Check("body-media-type", "another media type than JSON, or none, is 415", body_media_type),
    Check("multipart", "multipart/form-data changes no answer", multipart),
    Check("query-undecodable", "a query or path that is not UTF-8 is 400", query_undecodable),
    Check("query-integer", "an integer is digits, else 422", query_integer),
    Check("query-repeated", "a repeated parameter is 422", query_repeated),
    Check("headers-large", "48 KiB of headers are read, more is 431", headers_large),
)
