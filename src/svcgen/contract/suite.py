"""The suite: every rule of docs/contract.md in one table, and how to run it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace

from svcgen.contract.check import Check, Finding
from svcgen.contract.checks import (
    calls,
    clients,
    configuration,
    health,
    image,
    logs,
    methods,
    metrics,
    openapi,
    parsing,
    problems,
    resource,
    stopping,
    traces,
)
from svcgen.contract.context import CheckContext, set_up
from svcgen.contract.expect import BrokenRuleError, NotRunError
from svcgen.contract.targets.base import MISSING, Target
from svcgen.errors import SvcgenError
from svcgen.files import allow_open_files

CHECKS: tuple[Check, ...] = (
    *configuration.CHECKS,
    *health.CHECKS,
    *resource.CHECKS,
    *calls.CHECKS,
    *methods.CHECKS,
    *problems.CHECKS,
    *parsing.CHECKS,
    *clients.CHECKS,
    *openapi.CHECKS,
    *metrics.CHECKS,
    *logs.CHECKS,
    *traces.CHECKS,
    *stopping.CHECKS,
    *image.CHECKS,
)
# Services that start in parallel with the shared one: most of their time is waiting.
PARALLEL = 6
# These take longest, so they begin first; those that read the same evidence begin last.
LONGEST = ("migrate-unreachable", "drain-limit", "database-unreachable", "drain-readyz")
LATER = ("database-request", "database-returns", "database-lost", "drain-")
# A busy machine misses a limit of seconds once; a rule that is not kept is broken again. If more
# rules than these are broken, the service is at fault.
MOST_AGAIN = 5
# These add an item. With a database that is one for all services, and shared checks count items.
ADDING = frozenset(one.name for one in stopping.CHECKS if one.name != "drain-limit")


def run_checks(  # noqa: PLR0913, PLR0917 (the choices of a run)
    target: Target,
    database_url: str = "",
    checks: Sequence[Check] = CHECKS,
    start_timeout: float = 60.0,
    newer_url: str = "",
    report: Callable[[Finding], None] = lambda _finding: None,
) -> list[Finding]:
    """Check a service and return one finding a check, in the order of the checks.

    `database_url` is an empty PostgreSQL database, for a service that has one; items stay in
    it. `newer_url` is one that a newer version of the service has migrated. `start_timeout` is the
    limit for a start, in seconds. `report` gets each finding when its check ends.

    Up to MOST_AGAIN broken rules are checked again, one after another; the detail of one that is
    then kept has what was seen first.

    Raises SvcgenError when the service cannot be checked at all.
    """
    if target.service.database != "none" and "start" in target.provides and not database_url:
        raise SvcgenError(
            f"{target.service.name} needs a database.", "Set DATABASE_URL to an empty one."
        )
    allow_open_files(clients.FILES)
    with set_up(target, database_url, start_timeout, newer_url) as context:
        prepare(context)
        found = _run_all(context, checks, report)
    broken = [one for one in found if one.ok is False]
    if len(checks) > 1 and len(broken) <= MOST_AGAIN:
        for one in broken:
            with set_up(target, database_url, start_timeout, newer_url) as context:
                found[found.index(one)] = _check_again(context, one)
    return sorted(found, key=lambda one: checks.index(one.check))


def _check_again(context: CheckContext, first: Finding) -> Finding:
    again = run_check(context, first.check)
    seen = f"kept when checked again; at first: {first.detail}"
    return replace(again, detail=seen) if again.ok else first


def prepare(context: CheckContext) -> None:
    """Run `make` once, so that it sets up the environment before times are measured.

    It is given a port that does not exist, so a service that keeps the contract ends at once.
    """
    if "make" in context.target.provides:
        with context.start(PORT="70000") as running, suppress(BrokenRuleError):
            running.exit_code(context.start_timeout * 5)


def _run_all(
    context: CheckContext, checks: Sequence[Check], report: Callable[[Finding], None]
) -> list[Finding]:
    last = ADDING if context.database_url else frozenset[str]()
    alone = sorted((one for one in checks if one.alone), key=lambda one: _order(one, last))
    shared = [one for one in checks if not one.alone]

    def run(check: Check) -> Finding:
        finding = run_check(context, check)
        report(finding)
        return finding

    with ThreadPoolExecutor(PARALLEL + 1) as pool, _stopping(context, pool):
        together = pool.submit(lambda: [run(one) for one in shared])

        def run_beside(check: Check) -> Finding:
            if check.name in last:
                together.result()
            return run(check)

        beside = list(pool.map(run_beside, alone))
        return together.result() + beside


@contextmanager
def _stopping(context: CheckContext, pool: ThreadPoolExecutor) -> Iterator[None]:
    """End all services at once when the checks are interrupted: the pool waits for its threads."""
    try:
        yield
    except KeyboardInterrupt:
        context.stop()
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _order(check: Check, last: Container[str]) -> int:
    if check.name in last:
        return 2 * len(CHECKS)
    if check.name in LONGEST:
        return LONGEST.index(check.name)
    return len(LONGEST) + check.name.startswith(LATER)


def run_check(context: CheckContext, check: Check) -> Finding:
    """Run one check; raises only for a bug in the suite."""
    missing = sorted(check.needs - context.provides)
    if missing:
        return Finding(check, None, f"needs {MISSING[missing[0]]}")
    try:
        check.function(context)
    except NotRunError as reason:
        return Finding(check, None, str(reason))
    except (BrokenRuleError, SvcgenError) as seen:
        return Finding(check, False, str(seen))
    except (LookupError, TypeError, ValueError, AttributeError, OSError, RecursionError) as error:
        # The answer has another shape than the check reads.
        return Finding(check, False, f"not as expected: {error!r}")
    return Finding(check, True)
