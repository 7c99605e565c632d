"""The suite: every rule of docs/contract.md in one table, and how to run it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

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
    problems,
    resource,
    stopping,
    traces,
)
from svcgen.contract.context import Bench, set_up
from svcgen.contract.expect import BrokenRuleError, NotRunError
from svcgen.contract.targets.base import MISSING, Target
from svcgen.errors import SvcgenError

CHECKS: tuple[Check, ...] = (
    *configuration.CHECKS,
    *health.CHECKS,
    *resource.CHECKS,
    *calls.CHECKS,
    *methods.CHECKS,
    *problems.CHECKS,
    *clients.CHECKS,
    *openapi.CHECKS,
    *metrics.CHECKS,
    *logs.CHECKS,
    *traces.CHECKS,
    *stopping.CHECKS,
    *image.CHECKS,
)
# Services that start at once beside the shared one: most of their time is waiting.
BESIDE = 6
# These wait longest, so they begin first; those that look at the same evidence begin last.
LONGEST = ("migrate-unreachable", "drain-limit", "database-unreachable", "drain-readyz")
LATER = ("database-request", "database-returns", "database-lost", "drain-")


def run_checks(
    target: Target,
    database_url: str = "",
    checks: Sequence[Check] = CHECKS,
    patience: float = 60.0,
) -> list[Finding]:
    """Put a service to the test and return one finding a check, in the order of the checks.

    `database_url` is an empty PostgreSQL database, for a service that has one; items are left in
    it. `patience` is in seconds: how long a start may take. Raises
    SvcgenError when the service cannot be put to the test at all.
    """
    if target.service.database != "none" and "start" in target.provides and not database_url:
        raise SvcgenError(
            f"{target.service.name} needs a database.", "Set DATABASE_URL to an empty one."
        )
    clients.allow_many()
    with set_up(target, database_url, patience) as bench:
        prepare(bench)
        return sorted(_run_all(bench, checks), key=lambda one: checks.index(one.check))


def prepare(bench: Bench) -> None:
    """Let `make` set up the service's environment before seconds and lines are counted."""
    if "make" in bench.target.provides:
        with bench.start(PORT="0") as running:
            running.exit_code(300)


def _run_all(bench: Bench, checks: Sequence[Check]) -> list[Finding]:
    alone = sorted((one for one in checks if one.alone), key=_turn)
    shared = [one for one in checks if not one.alone]
    with ThreadPoolExecutor(BESIDE + 1) as pool:
        together = pool.submit(lambda: [run_check(bench, one) for one in shared])
        if bench.database_url:  # one for all services, and some of these checks count its items
            together.result()
        beside = list(pool.map(lambda one: run_check(bench, one), alone))
        return together.result() + beside


def _turn(check: Check) -> int:
    if check.name in LONGEST:
        return LONGEST.index(check.name)
    return len(LONGEST) + check.name.startswith(LATER)


def run_check(bench: Bench, check: Check) -> Finding:
    """Run one check; only a bug in the suite raises."""
    missing = sorted(check.needs - bench.provides)
    if missing:
        return Finding(check, None, f"needs {MISSING[missing[0]]}")
    try:
        check.function(bench)
    except NotRunError as reason:
        return Finding(check, None, str(reason))
    except (BrokenRuleError, SvcgenError) as seen:
        return Finding(check, False, str(seen))
    except (LookupError, TypeError, ValueError, AttributeError, OSError) as error:
        # An answer of another shape than the check reads.
        return Finding(check, False, f"not as expected: {error!r}")
    return Finding(check, True)
