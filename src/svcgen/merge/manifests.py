"""Manifests of dependencies are merged like any text, but the higher version of each wins.

A service's own dependencies stand among the template's, line by line. So a line that differs in
its version only is settled before the merge, and lists that both have added to are joined after.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from svcgen.merge.lists import join_lists, without_doubles
from svcgen.merge.text import Labels, Text, merge_text
from svcgen.merge.version_numbers import compare, numbers, with_numbers, without_numbers

_CONTEXT = (2, 1, 0)  # lines before a version that say whose it is: two of them in a pom.xml

_NAMED = re.compile(r"^(?!\s*<version>).*[A-Za-z]")

Versions = tuple[str, ...]


def merge_manifest(path: str, old: bytes, new: bytes, mine: bytes, labels: Labels) -> Text | None:
    """Merge a manifest; the path's ending says what format it has.

    None: its lines can be merged, but what comes out is no longer JSON or TOML, or has a name
    twice. Raises SvcgenError when there is no git.
    """
    settled = _settled(path, old, new, mine)
    merged = join_lists(path, merge_text(*settled, labels))
    if merged.conflicts:
        return merged
    result = without_doubles(path, merged.content, settled[1], settled[2])
    if not _sound(path, result) and _sound(path, new) and _sound(path, mine):
        return None
    return Text(result)


class _Side:
    """The lines of one version of a manifest."""

    def __init__(self, path: str, text: bytes) -> None:
        self.path = path
        self.lines = text.decode(errors="surrogateescape").split("\n")
        self.said = [without_numbers(path, line) for line in self.lines]
        self.all = {at for at, said in enumerate(self.said) if "\0" in said}
        self.open = set(self.all)

    def places(self, context: int) -> dict[tuple[str, ...], list[int]]:
        """Return where versions are, by what is said there and in the lines before.

        A version without a name in its own line (Maven's, and those in a list of versions) has it
        in a line before.
        """
        found: dict[tuple[str, ...], list[int]] = {}
        for at in self.all:
            said = tuple(self.said[max(at - context, 0) : at + 1])
            if context or _NAMED.match(said[-1]):
                found.setdefault(said, []).append(at)
        return found

    def has_open(self, places: list[int]) -> bool:
        """Tell whether this is one place, and not settled: of several, none is known to be it."""
        return len(places) == 1 and places[0] in self.open

    def versions(self, at: int) -> Versions:
        return numbers(self.path, self.lines[at])

    def settle(self, at: int, versions: Versions | None) -> None:
        self.open.remove(at)
        if versions and versions != self.versions(at):
            self.lines[at] = with_numbers(self.path, self.lines[at], versions)

    def text(self) -> bytes:
        return "\n".join(self.lines).encode(errors="surrogateescape")


def _settled(path: str, old: bytes, new: bytes, mine: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the texts with one version in each line that differs in its version only."""
    sides = _Side(path, old), _Side(path, new), _Side(path, mine)
    for in_old in (True, False):  # what both have added comes last: a line may have been moved
        for context in _CONTEXT:
            before, theirs, ours = (side.places(context) for side in sides)
            for said in theirs.keys() & ours.keys():
                if (said in before) == in_old:
                    _settle(sides, (before.get(said, []), theirs[said], ours[said]))
    return sides[0].text(), sides[1].text(), sides[2].text()


def _settle(sides: Sequence[_Side], where: Sequence[list[int]]) -> None:
    found = [(side, places) for side, places in zip(sides, where, strict=True) if places]
    if not all(side.has_open(places) for side, places in found):
        return
    *old, new, mine = (side.versions(places[0]) for side, places in found)
    winner = _winner(old[0] if old else None, new, mine)
    for side, places in found:
        side.settle(places[0], winner)


def _winner(old: Versions | None, new: Versions, mine: Versions) -> Versions | None:
    """Return the versions that a line will have; None: both sides changed it, neither is higher.

    One that one side alone has changed is that side's, also where it is lower: a template withdraws
    a version that has turned out to be bad.
    """
    if old in (new, mine):
        return mine if new == old else new
    higher = compare(mine, new)
    if higher is None:
        return None
    return mine if higher >= 0 else new


def _sound(path: str, text: bytes) -> bool:
    """Tell whether a manifest still says what it seems to: a doubled name loses one's meaning."""
    try:
        if PurePosixPath(path).suffix == ".json":
            json.loads(text, object_pairs_hook=_once)
        elif PurePosixPath(path).suffix == ".toml":
            tomllib.loads(text.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)
