"""What can go wrong and can be put right by the user; everything else is a bug.

SvcgenError          a message and what to type next; exit 1
├── UnsupportedError  written down correctly, but only a later version can do it
└── BusyError         another svcgen is at work there, and ends by itself
"""

from __future__ import annotations

from collections.abc import Iterable


class SvcgenError(Exception):
    """Something the user can fix: says what is wrong (`problem`) and what to do (`advice`)."""

    def __init__(self, problem: str, advice: str = "") -> None:
        super().__init__(f"{problem}\n{advice}" if advice else problem)
        self.problem = problem
        self.advice = advice

    @property
    def sentence(self) -> str:
        """Problem and advice on one line, for a table's row or a list."""
        return f"{self.problem} {self.advice}".strip()


class UnsupportedError(SvcgenError):
    """A declaration that this version understands but cannot keep; it is refused, never ignored."""


class BusyError(SvcgenError):
    """Another svcgen is at work on the same service; what only reads it need not wait."""


def did_you_mean(written: str, known: Iterable[str], otherwise: str = "") -> str:
    """Ask whether the nearest of what is known was meant; say `otherwise` where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(written, list(known), n=1)
    return f'Did you mean "{near[0]}"?' if near else otherwise
