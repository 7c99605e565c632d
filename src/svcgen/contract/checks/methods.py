"""Methods: HEAD, OPTIONS and those that a path does not allow (RFC 9110, section 9)."""

from __future__ import annotations

from svcgen.contract.check import Check
from svcgen.contract.checks.openapi import OPERATORS
from svcgen.contract.checks.problems import problem
from svcgen.contract.checks.resource import made
from svcgen.contract.context import CheckContext
from svcgen.contract.expect import expect
from svcgen.contract.http import ask, get, read_raw

READ = {"GET", "HEAD", "OPTIONS"}


def paths(context: CheckContext) -> dict[str, set[str]]:
    """Return each known path with the methods that Allow must name."""
    documented = {
        path: methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        for path, methods in context.documented.items()
    }
    item = made(context, "methods").headers.get("Location", "") if context.has_example else ""
    return {**dict.fromkeys(OPERATORS, READ), **documented, **({item: READ} if item else {})}


def head(context: CheckContext) -> None:
    readable = (path for path, methods in paths(context).items() if "GET" in methods)
    for path in readable:
        got, headed = get(context.address, path), ask(context.address, "HEAD", path)
        expect(headed.status == got.status, f"HEAD {path} is {headed.status}, GET {got.status}")
        expect(headed.kind == got.kind, f"HEAD {path} is {headed.kind}, GET {got.kind}")
    body = read_raw(context.address, "HEAD", context.readable).partition(b"\r\n\r\n")[2]
    expect(not body, f"HEAD {context.readable} has a body: {body[:80]!r}")
    missing = ask(context.address, "HEAD", "/nothing")
    expect(missing.status == 404, f"HEAD /nothing is {missing.status}")


def options(context: CheckContext) -> None:
    for path, allowed in paths(context).items():
        answer = ask(context.address, "OPTIONS", path)
        expect(answer.status == 204, f"OPTIONS {path} is {answer.status}")
        expect(answer.allow == allowed, f"OPTIONS {path} allows {sorted(answer.allow)}")
        answer = ask(context.address, "OPTIONS", path, b"{")
        expect(answer.status == 204, f"OPTIONS {path} with a body is {answer.status}")


def method_unknown(context: CheckContext) -> None:
    for path, allowed in paths(context).items():
        method = next(
            one for one in ("DELETE", "PATCH", "PUT", "POST", "GET") if one not in allowed
        )
        answer = ask(context.address, method, path)
        problem(answer, 405)
        expect(answer.allow == allowed, f"{method} {path} allows {sorted(answer.allow)}")
    unknown = ask(context.address, "BREW", context.readable)
    problem(unknown, 501 if unknown.status == 501 else 405)


CHECKS = (
    Check("head", "HEAD answers as GET, without a body", head),
    Check("options", "OPTIONS is 204 with Allow", options),
    Check("method-unknown", "another method is 405 with Allow", method_unknown),
)
