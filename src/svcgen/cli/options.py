"""What the parts of the command line share: options, exit codes, and who may allow what."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

FOUND_SOMETHING = 3  # done, and the user is needed

Trust = Annotated[bool, typer.Option("--trust", help="Let the template run programs of its own.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else.")]


def terminal() -> bool:
    """Tell whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def allows(trust: bool, *, asked: bool = False) -> Callable[[str], bool]:
    """Return what says whether a template may do what it wishes: an option, or a person."""
    return lambda wish: (
        trust or (asked and terminal() and typer.confirm(f"{wish}. Do you trust it?"))
    )
