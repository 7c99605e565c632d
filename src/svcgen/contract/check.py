"""What a check is, and what comes of running one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svcgen.contract.context import Bench


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
