"""How a check fails, or reports that it cannot be run."""

from __future__ import annotations


class BrokenRuleError(Exception):
    """A rule is broken; the message is the observation."""


class NotRunError(Exception):
    """A check cannot be run here; the message is the reason."""


def expect(condition: object, detail: str) -> None:
    """Raise BrokenRuleError with the detail unless the condition holds."""
    if not condition:
        raise BrokenRuleError(detail)
