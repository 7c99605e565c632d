"""A check and its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svcgen.contract.context import CheckContext


@dataclass(frozen=True)
class Check:
    """One rule of docs/contract.md.

    `function` raises BrokenRuleError when the rule is not kept. A check that is `alone` starts its
    own service and runs in parallel; the others share one service, one after another.
    """

    name: str
    rule: str
    function: Callable[[CheckContext], None]
    needs: frozenset[str] = frozenset()
    alone: bool = False


@dataclass(frozen=True)
class Finding:
    """The result of one check: kept (True), broken (False) or not run (None), and the detail."""

    check: Check
    ok: bool | None
    detail: str = ""
