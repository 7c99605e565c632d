"""Configuration: environment variables, and one log line when one is invalid."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from svcgen.contract.check import Check
from svcgen.contract.checks.logs import request_line
from svcgen.contract.context import CheckContext, marker
from svcgen.contract.expect import NotRunError, expect
from svcgen.contract.http import get, refuses, status
from svcgen.contract.support.ports import exclusive_port
from svcgen.contract.targets.base import CALLS, DATABASE, START, Running
from svcgen.contract.targets.process import DEFAULT_PORT
from svcgen.service import url_variable

SECRET = "swordfish"  # noqa: S105 (must not appear in a log)
OTHER_ADDRESS = "127.0.0.2"
OTHER_DATABASE = f"mysql://user:{SECRET}@127.0.0.1/database"


def refused(context: CheckContext, name: str, value: str | None) -> None:
    """Start with an invalid value: exit 1, and one line that names the variable."""
    with context.start(**{name: value}) as running:
        expect_refused(running, name, context.start_timeout)


def expect_refused(running: Running, name: str, seconds: float) -> None:
    """Expect exit code 1 and one line that names the variable."""
    code = running.exit_code(seconds)
    expect(code == 1, f"the exit code is {code}, not 1")
    lines, entries = running.output.lines, running.output.entries()
    expect(len(lines) == 1, f"{len(lines)} lines on stdout, not one: {running.last_lines()}")
    expect(entries, f"the line is not a log line: {lines[0]}")
    expect(entries[0].get("level") == "error", f"its level is not error: {lines[0]}")
    expect(name in str(entries[0].get("msg")), f"msg does not name {name}: {lines[0]}")
    expect(SECRET not in lines[0], "the line shows a password")
    errors = [line for line in running.output.errors if not line.startswith("make")]
    expect(not errors, f"stderr is not empty: {errors[-3:]}")


def database_url_malformed(context: CheckContext) -> None:
    """Start the service and the migration: the chart's Job does not run one that exits 1 again."""
    refused(context, "DATABASE_URL", OTHER_DATABASE)
    migration = context.migrate(DATABASE_URL=OTHER_DATABASE)
    expect_refused(migration, "DATABASE_URL", context.start_timeout)


def callee_refused(context: CheckContext, value: str | None) -> None:
    """Start with an invalid URL of a callee: exit 1, and one line."""
    refused(context, url_variable(context.service.calls[0]), value)


def host(context: CheckContext) -> None:
    with context.start(HOST="127.0.0.1") as running:
        running.wait_for("/livez", context.start_timeout)
        other = replace(running.address, host=other_address())
        expect(refuses(other), f"with HOST=127.0.0.1 it also listens on {other.host}")


def other_address() -> str:
    """Return a second address of this machine; NotRunError when it has none (macOS)."""
    try:
        with socket.socket(type=socket.SOCK_DGRAM) as probe:
            probe.bind((OTHER_ADDRESS, 0))
    except OSError as error:
        raise NotRunError(f"this machine does not have the address {OTHER_ADDRESS}") from error
    return OTHER_ADDRESS


def port(context: CheckContext) -> None:
    expect(status(context.address, "/livez") == 200, f"no answer on PORT={context.address.port}")
    with contextlib.suppress(NotRunError):
        other = replace(context.address, host=other_address())
        expect(status(other, "/livez") == 200, f"no answer on {other.host}")


def port_default(context: CheckContext) -> None:
    with exclusive_port(DEFAULT_PORT), context.start(PORT=None) as running:
        running.wait_for(
            "/livez", context.start_timeout
        )  # a published container cannot reach the database
        path = f"/{marker()}"
        get(running.address, path)
        request_line(running.output, path)  # shows that this service answered


def port_taken(context: CheckContext) -> None:
    with socket.create_server(("", 0)) as listener:
        refused(context, "PORT", str(listener.getsockname()[1]))


def invalid(name: str, value: str | None) -> Callable[[CheckContext], None]:
    """Return the check of one invalid value."""
    return partial(refused, name=name, value=value)


ALONE = frozenset({START})
CHECKS = (
    Check("host", "listens on HOST alone", host, ALONE, alone=True),
    Check(
        "host-malformed",
        "HOST=localhost: exit 1, one line",
        invalid("HOST", "localhost"),
        ALONE,
        alone=True,
    ),
    Check("port", "listens on PORT, on all interfaces", port, ALONE),
    Check("port-default", "listens on 8080 without PORT", port_default, ALONE, alone=True),
    Check(
        "port-malformed",
        "PORT=70000: exit 1, one line",
        invalid("PORT", "70000"),
        ALONE,
        alone=True,
    ),
    Check("port-taken", "PORT in use: exit 1, one line", port_taken, ALONE, alone=True),
    Check(
        "log-level-malformed",
        "LOG_LEVEL=loud: exit 1, one line",
        invalid("LOG_LEVEL", "loud"),
        ALONE,
        alone=True,
    ),
    Check(
        "drain-seconds-malformed",
        "DRAIN_SECONDS=-1: exit 1, one line",
        invalid("DRAIN_SECONDS", "-1"),
        ALONE,
        alone=True,
    ),
    Check(
        "database-url-malformed",
        "DATABASE_URL of another database: exit 1, one line without the password",
        database_url_malformed,
        ALONE | {DATABASE},
        alone=True,
    ),
    Check(
        "database-url-missing",
        "no DATABASE_URL: exit 1, one line",
        invalid("DATABASE_URL", None),
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
