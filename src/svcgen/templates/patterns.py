"""Paths by the patterns of gitignore(5): the only module that imports pathspec."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from svcgen.errors import SvcgenError


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that matches paths as Copier matches `_exclude`.

    Raises SvcgenError for a pattern that is none.
    """
    from pathspec import PathSpec

    try:
        return PathSpec.from_lines("gitignore", patterns).match_file
    except ValueError as error:
        raise SvcgenError(f"A pattern of paths cannot be read: {error}") from error
