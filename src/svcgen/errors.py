"""Errors that the user can fix, and the words of their messages; every other exception is a bug.

SvcgenError          a message and what to type next; exit 1
├── AnswerError       an answer that a template refuses
└── BusyError         another svcgen works on the same service; it ends without help
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

REPOSITORY = "https://github.com/svcgen/svcgen"
"""svcgen's public repository: services record it, and messages name its pages."""


class SvcgenError(Exception):
    """An error that the user can fix: what is wrong (`problem`) and what to do (`advice`)."""

    def __init__(self, problem: str, advice: str = "") -> None:
        super().__init__(f"{problem}\n{advice}" if advice else problem)
        self.problem = problem
        self.advice = advice

    @property
    def sentence(self) -> str:
        """Problem and advice on one line, for a table's row or a list."""
        return f"{self.problem} {self.advice}".strip()


class AnswerError(SvcgenError):
    """An answer that a template refuses, why, and the option or file that it is from."""

    def __init__(self, question: str, reason: str, advice: str = "", source: str = "") -> None:
        origin = f" from {source}" if source else ""
        super().__init__(f"The answer to `{question}`{origin} cannot be used: {reason}", advice)
        self.question = question
        self.reason = reason
        self.source = source


class BusyError(SvcgenError):
    """Another svcgen works on the same service; a command that only reads need not wait."""


def raise_all(faults: Sequence[SvcgenError]) -> None:
    """Raise several errors as one; do nothing without any."""
    if faults:
        problem = "\n".join(dict.fromkeys(fault.problem for fault in faults))
        raise SvcgenError(problem, "\n".join(dict.fromkeys(fault.advice for fault in faults)))


def printable(text: str) -> str:
    """Return a text with its control characters escaped, but for newlines and tabs.

    A name or a log line can contain sequences that a terminal obeys (ECMA-48), and characters that
    reorder the text (Unicode Standard Annex 9). Bytes that are not UTF-8 are escaped too.
    """
    return text if text.isascii() and text.isprintable() else _CONTROL.sub(_escaped, text)


_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def one_line(text: str) -> str:
    """Return a text as `printable` does, on one line: newlines and tabs are escaped too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return `Did you mean ...?` with the nearest known word; `otherwise` when none is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1)
    return f'Did you mean "{near[0]}"?' if near else otherwise


def page(name: str) -> str:
    """Return the address of a page of the documentation: users have no docs/."""
    return f"{REPOSITORY}/blob/main/docs/{name}.md"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "no faults", "1 fault", "2 faults"."""
    return f"1 {noun}" if number == 1 else f"{number or 'no'} {noun}s"
