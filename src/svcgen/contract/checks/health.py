"""Health and migrations."""

from __future__ import annotations

import time
from dataclasses import dataclass

from svcgen.contract.check import Check
from svcgen.contract.checks.problems import traces
from svcgen.contract.context import CheckContext, migrated, without_schema
from svcgen.contract.expect import BrokenRuleError, expect
from svcgen.contract.http import TIMEOUT, Response, ask, get, status, until
from svcgen.contract.support.proxy import TcpProxy, proxy_to
from svcgen.contract.targets.base import DATABASE, NEWER, START, Running

WARNINGS_SECONDS = 11.0  # long enough for two warnings, one each 5 s
MIGRATION_SECONDS = 30.0
REQUEST_SECONDS = 5.0 + 4.0  # and a busy machine
TEMPORARY_FAILURE = 75  # EX_TEMPFAIL of sysexits.h; the chart's Job retries only this
NOTICED_SECONDS = 10.0 + 5.0  # and a busy machine


@dataclass(frozen=True)
class Outage:
    """Observations of a service whose database is down, up, down and up again.

    Seconds are None when it took more than NOTICED_SECONDS.
    """

    live: int
    ready: Response
    request: Response
    request_seconds: float
    warnings: int
    until_ready: float | None
    until_lost: float | None
    until_back: float | None


def livez(context: CheckContext) -> None:
    answer = get(context.address, "/livez")
    expect(answer.status == 200, f"/livez is {answer.status}")


def readyz(context: CheckContext) -> None:
    answer = get(context.address, "/readyz")
    expect(answer.status == 200, f"/readyz is {answer.status}")


def outage(context: CheckContext) -> Outage:
    """Start a service behind a disabled proxy and watch it."""
    proxy, url = proxy_to(context.database_url)
    context.cached(migrated)
    with context.start(DATABASE_URL=url) as running:
        try:
            return watch(context, running, proxy)
        finally:
            proxy.disable()


def watch(context: CheckContext, running: Running, proxy: TcpProxy) -> Outage:
    """Observe each state of the database in turn."""
    running.wait_for("/livez", context.start_timeout)
    began = time.monotonic()
    request = ask(running.address, "GET", context.readable)
    took = time.monotonic() - began
    live, ready = status(running.address, "/livez"), get(running.address, "/readyz")
    time.sleep(max(0.0, began + WARNINGS_SECONDS - time.monotonic()))
    warnings = [entry for entry in running.output.entries() if is_database_warning(entry)]
    proxy.enable()
    until_ready = seconds(running, 200)
    proxy.disable()
    until_lost = seconds(running, 503)
    proxy.enable()
    return Outage(
        *(live, ready, request, took, len(warnings)),
        *(until_ready, until_lost, seconds(running, 200)),
    )


def is_database_warning(entry: dict[str, object]) -> bool:
    """Return whether a log line is a warning about the database."""
    return entry.get("level") == "warning" and "database" in str(entry.get("msg")).lower()


def seconds(running: Running, wanted: int) -> float | None:
    """Return the seconds until /readyz has a status; None after NOTICED_SECONDS."""
    try:
        return until(lambda: status(running.address, "/readyz", TIMEOUT) == wanted, NOTICED_SECONDS)
    except BrokenRuleError:
        return None


def database_unreachable(context: CheckContext) -> None:
    seen = context.cached(outage)
    expect(seen.live == 200, f"/livez is {seen.live}")
    expect(seen.ready.status == 503, f"/readyz is {seen.ready.status}, not 503")
    expect(seen.ready.kind == "application/problem+json", f"/readyz is {seen.ready.kind}")
    expect("database" in seen.ready.json()["detail"], "its detail does not contain 'database'")
    expect(2 <= seen.warnings <= 4, f"{seen.warnings} warnings in {WARNINGS_SECONDS:g} s")


def database_request(context: CheckContext) -> None:
    path, seen = context.path, context.cached(outage)
    expect(seen.request.status == 503, f"GET {path} is {seen.request.status}, not 503")
    expect(seen.request.kind == "application/problem+json", f"it is {seen.request.kind}")
    expect(seen.request_seconds < REQUEST_SECONDS, f"it took {seen.request_seconds:.1f} s")


def database_returns(context: CheckContext) -> None:
    expect(context.cached(outage).until_ready is not None, "not ready 10 s after the database")


def database_lost(context: CheckContext) -> None:
    seen = context.cached(outage)
    expect(seen.until_lost is not None, "still ready 10 s after the database was lost")
    expect(seen.until_back is not None, "not ready 10 s after the database came back")


def migrate(context: CheckContext) -> None:
    context.cached(migrated)
    again = context.migrate()
    code = again.exit_code(context.migration_timeout)
    expect(code == 0, f"the second run exits {code}: {again.last_lines()}")


def migrate_unreachable(context: CheckContext) -> None:
    url = proxy_to(context.database_url)[1]
    began = time.monotonic()
    migration = context.migrate(DATABASE_URL=url)
    code = migration.exit_code(MIGRATION_SECONDS + context.start_timeout)
    took = time.monotonic() - began
    expect(code == TEMPORARY_FAILURE, f"the exit code is {code}, not {TEMPORARY_FAILURE}")
    expect(took > MIGRATION_SECONDS - 2, f"it took {took:.0f} s, not 30")
    last = (migration.output.entries() or [{}])[-1]
    expect(last.get("level") == "error", f"the last line is not an error: {migration.last_lines()}")
    expect("database" in str(last.get("msg")).lower(), f"it does not contain 'database': {last}")
    members = [str(value) for entry in migration.output.entries() for value in entry.values()]
    everything = "\n".join([*migration.output.lines, *migration.output.errors, *members])
    expect(not traces(everything), f"there is a stack trace: {everything[-500:]}")


def migrate_newer(context: CheckContext) -> None:
    migration = context.migrate(DATABASE_URL=context.newer_url)
    code = migration.exit_code(context.migration_timeout)
    expect(code == 0, f"the exit code is {code}, not 0: {migration.last_lines()}")


def migrate_failed(context: CheckContext) -> None:
    """Migrate a database that has no table in its search path, and in which none can be made."""
    url = f"{without_schema(context.database_url)}%20-cdefault_transaction_read_only%3Don"
    began = time.monotonic()
    context.migrate().exit_code(context.start_timeout)
    usual = time.monotonic() - began  # on a loaded machine the start alone takes long
    migration = context.migrate(DATABASE_URL=url)
    code = migration.exit_code(context.start_timeout)
    took = time.monotonic() - began - usual
    expect(code == 1, f"the exit code is {code}, not 1: {migration.last_lines()}")
    limit = usual + MIGRATION_SECONDS / 2
    expect(took < limit, f"it took {took:.0f} s: it tries again what fails for good")
    lines, entries = migration.output.lines, migration.output.entries()
    errors = [one for one in entries if one.get("level") == "error"]
    expect(len(entries) == len(lines), f"not log lines: {migration.last_lines()}")
    expect(len(errors) == 1, f"{len(errors)} lines of level error, not one: {lines}")
    streams = "\n".join([*map(str, errors[0].values()), *migration.output.errors])
    expect(not traces(streams), f"there is a stack trace: {streams[-500:]}")


STORED = frozenset({START, DATABASE})
CHECKS = (
    Check("livez", "GET /livez is 200", livez),
    Check("readyz", "GET /readyz is 200 once started", readyz),
    Check(
        "database-unreachable",
        "no database: /livez 200, /readyz 503, a warning every 5 s",
        database_unreachable,
        STORED,
        alone=True,
    ),
    Check("database-request", "no database: 503 within 5 s", database_request, STORED, alone=True),
    Check(
        "database-returns",
        "started without a database, ready within 10 s of it",
        database_returns,
        STORED,
        alone=True,
    ),
    Check("database-lost", "a lost database is noticed in 10 s", database_lost, STORED, alone=True),
    Check("migrate", "exits 0, also a second time", migrate, frozenset({START}), alone=True),
    Check(
        "migrate-newer",
        "a schema of a newer version: exits 0",
        migrate_newer,
        STORED | {NEWER},
        alone=True,
    ),
    Check(
        "migrate-failed",
        "a migration that fails: exits 1 at once, one line",
        migrate_failed,
        STORED,
        alone=True,
    ),
    Check(
        "migrate-unreachable",
        "no database: tries for 30 s, exits 75, one clear last line",
        migrate_unreachable,
        STORED,
        alone=True,
    ),
)
