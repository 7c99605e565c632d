"""What a check is, and what comes of running one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svcgen.contract.bench import Bench

# What a check can need of the target or of its service, and how to say that it is not there.
START = "start"
DATABASE = "database"
CALLS = "calls"
FOLDER = "folder"
MAKE = "make"
IMAGE = "image"
MISSING = {
    START: "a target that can be started and stopped",
    DATABASE: "a service with a database",
    CALLS: "a service that calls another",
    FOLDER: "the service's folder",
    MAKE: "a target that runs by make",
    IMAGE: "an image",
}


class BrokenRuleError(Exception):
    """A rule is not kept; the text says what was seen."""


class NotRunError(Exception):
    """A check could not be run here; the text says why."""


@dataclass(frozen=True)
class Check:
    """One rule of docs/contract.md.

    `function` raises BrokenRuleError when the rule is not kept. A check that is `alone` starts a
    service of its own and runs beside the others; the rest share one service, one after another.
    """

    name: str
    rule: str
    function: Callable[[Bench], None]
    needs: frozenset[str] = frozenset()
    alone: bool = False


@dataclass(frozen=True)
class Finding:
    """What came of one check: kept (True), broken (False) or not run (None), and the detail."""

    check: Check
    ok: bool | None
    detail: str = ""


def expect(condition: object, detail: str) -> None:
    """Raise BrokenRuleError with the detail unless the condition holds."""
    if not condition:
        raise BrokenRuleError(detail)
