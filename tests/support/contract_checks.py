"""Which checks of the contract suite are run where one run of all proves the rest."""

from __future__ import annotations

from svcgen.contract.check import Check
from svcgen.contract.suite import CHECKS

# The program is that of the image, which is asked all. Its start differs: make gives it arguments,
# environment, streams and signals, and runs it from a folder.
SMOKE = {
    *("port", "port-malformed", "callee-url-missing", "database-url-malformed"),
    *("readyz", "migrate", "migrate-newer", "create", "call-depth-counted"),
    *("log-request", "drain-exits"),
}
# Start, health and stop of a program with a database differ from those of one without.
STOPPED = {f"drain-{what}" for what in ("readyz", "serves", "refuses", "finishes", "exits")}
OF_A_DATABASE = {
    *("database-unreachable", "database-request", "database-returns", "database-lost"),
    *("unhandled-exception", "migrate-failed"),
}


def asked_of_one_service(*more: str) -> list[Check]:
    """Return the checks that share one service, and these; each of them starts its own."""
    return [check for check in CHECKS if not check.alone or check.name in more]
