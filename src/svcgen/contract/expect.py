"""How a check fails, or says that it cannot be run."""

from __future__ import annotations


class BrokenRuleError(Exception):
    """A rule is not kept; the text says what was seen."""


class NotRunError(Exception):
    """A check could not be run here; the text says why."""


def expect(condition: object, detail: str) -> None:
    """Raise BrokenRuleError with the detail unless the condition holds."""
    if not condition:
        raise BrokenRuleError(detail)
