"""Configuration: the environment, and one clear line when it is wrong (docs/contract.md)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

from svcgen.contract.check import Check
from svcgen.contract.checks.logs import request_line
from svcgen.contract.context import Bench, marker
from svcgen.contract.expect import expect
from svcgen.contract.http import get, status
from svcgen.contract.support.ports import whole_port
from svcgen.contract.targets.base import CALLS, DATABASE, START
from svcgen.contract.targets.process import DEFAULT_PORT
from svcgen.service import variable

SECRET = "swordfish"  # noqa: S105 (must not be seen again)
BAD_DATABASE = f"mysql://user:{SECRET}@127.0.0.1/database"


def refused(bench: Bench, name: str, value: str | None) -> None:
    """Start with a bad value: exit 1, and one line that names the variable."""
    with bench.start(**{name: value}) as running:
        code = running.exit_code(bench.patience)
        expect(code == 1, f"the exit code is {code}, not 1")
        lines, entries = running.output.lines, running.output.entries()
        expect(len(lines) == 1, f"{len(lines)} lines on stdout, not one: {running.last_words()}")
        expect(entries, f"the line is no log line: {lines[0]}")
        expect(entries[0].get("level") == "error", f"its level is not error: {lines[0]}")
        expect(name in str(entries[0].get("msg")), f"msg does not name {name}: {lines[0]}")
        expect(SECRET not in lines[0], "the line shows a password")
        errors = [line for line in running.output.errors if not line.startswith("make")]
        expect(not errors, f"stderr is not empty: {errors[-3:]}")


def callee_refused(bench: Bench, value: str | None) -> None:
    """Start with a bad URL of a called service: the same."""
    refused(bench, f"{variable(bench.service.calls[0])}_URL", value)


def port(bench: Bench) -> None:
    expect(status(bench.address, "/livez") == 200, f"nobody answers on PORT={bench.address.port}")


def port_default(bench: Bench) -> None:
    with whole_port(DEFAULT_PORT), bench.start(PORT=None) as running:
        running.wait_for("/livez", bench.patience)  # a published container reaches no database
        path = f"/{marker()}"
        get(running.address, path)
        request_line(running.output, path)  # so it was this service that answered


def port_taken(bench: Bench) -> None:
    with socket.create_server(("", 0)) as listener:
        refused(bench, "PORT", str(listener.getsockname()[1]))


def bad(name: str, value: str | None) -> Callable[[Bench], None]:
    """Make the check of one bad value."""
    return partial(refused, name=name, value=value)


ALONE = frozenset({START})
CHECKS = (
    Check("port", "listens on PORT", port, ALONE),
    Check("port-default", "listens on 8080 without PORT", port_default, ALONE, alone=True),
    Check(
        "port-malformed", "PORT=70000: exit 1, one line", bad("PORT", "70000"), ALONE, alone=True
    ),
    Check("port-taken", "a taken PORT: exit 1, one line", port_taken, ALONE, alone=True),
    Check(
        "log-level-malformed",
        "LOG_LEVEL=loud: exit 1, one line",
        bad("LOG_LEVEL", "loud"),
        ALONE,
        alone=True,
    ),
    Check(
        "drain-seconds-malformed",
        "DRAIN_SECONDS=-1: exit 1, one line",
        bad("DRAIN_SECONDS", "-1"),
        ALONE,
        alone=True,
    ),
    Check(
        "database-url-malformed",
        "DATABASE_URL of another kind: exit 1, one line without the password",
        bad("DATABASE_URL", BAD_DATABASE),
        ALONE | {DATABASE},
        alone=True,
    ),
    Check(
        "database-url-missing",
        "no DATABASE_URL: exit 1, one line",
        bad("DATABASE_URL", None),
        ALONE | {DATABASE},
        alone=True,
    ),
    Check(
        "callee-url-malformed",
        "CALLEE_URL=ftp://…: exit 1, one line",
        partial(callee_refused, value="ftp://127.0.0.1"),
        ALONE | {CALLS},
        alone=True,
    ),
    Check(
        "callee-url-missing",
        "no CALLEE_URL: exit 1, one line",
        partial(callee_refused, value=None),
        ALONE | {CALLS},
        alone=True,
    ),
)
