"""Merge manifests of dependencies like any text, but take the higher of two raised versions.

A service's own dependencies are between the template's, line by line. A version that both sides
raised is settled before the merge. Lists that both sides extended are joined after it. Nothing
else is decided for the owner: a lower version, a cap or another list stays a conflict.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from svcgen.merge.lists import join_lists
from svcgen.merge.places import has_artifact_twice, list_of_each_line, mark_added_twice
from svcgen.merge.text import Labels, MergedText, merge_text
from svcgen.merge.version_numbers import (
    compare,
    numbers,
    upper_bounds,
    with_numbers,
    without_numbers,
)

_CONTEXT = (2, 1, 0)  # lines before a version that name its dependency: two of them in a pom.xml

_NAMED = re.compile(r"^(?!\s*<version>).*[A-Za-z]")

# The lists of dependencies, by the names of places.list_of_each_line: TOML, JSON, XML, go.mod.
_DEPENDENCIES = re.compile(
    r"^\[project\] dependencies|^\[(project\.optional-dependencies|dependency-groups)\]"
    r"|\t(dev|peer|optional)?[dD]ependencies\b|^require$"
)

Versions = tuple[str, ...]


def merge_manifest(
    path: str, old: bytes, new: bytes, user: bytes, labels: Labels
) -> MergedText | None:
    """Merge a manifest; the path's suffix determines its format.

    Return None when its lines can be merged, but the result is not valid JSON or TOML, or has a
    name twice. Raises SvcgenError without git.
    """
    merged = join_lists(path, merge_text(*_settle_versions(path, old, new, user), labels))
    merged = mark_added_twice(path, merged, new, user, labels)
    if merged.conflicts or _is_valid(path, merged.content):
        return merged
    return None if _is_valid(path, new) and _is_valid(path, user) else merged


def adds_dependencies_only(path: str, rendered: bytes, user: bytes) -> bool:
    """Return whether a user only added dependencies to a rendered manifest, or raised versions.

    An update merges these without a conflict, so they are not a difference from the template.
    """
    template, own = (_Side(path, _in_one_block(path, text)) for text in (rendered, user))
    kept = 0
    for at, line in enumerate(own.lines):
        is_dependency = bool(_DEPENDENCIES.search(own.lists[at]))
        if kept < len(template.lines) and (
            _plain(line) == _plain(template.lines[kept])
            or (is_dependency and _raised((template, kept), (own, at)))
        ):
            kept += 1
        elif not is_dependency:
            return False
    return kept == len(template.lines)


def _in_one_block(path: str, text: bytes) -> bytes:
    """Return go.mod with one list of requirements: Go moves one that the code begins to import."""
    if PurePosixPath(path).suffix != ".mod":
        return text
    lines = text.decode(errors="surrogateescape").replace("\r\n", "\n").split("\n")
    lists = list_of_each_line(path, lines)
    required = [line for line, name in zip(lines, lists, strict=True) if name == "require"]
    others = [line for line, name in zip(lines, lists, strict=True) if name not in {"require", ""}]
    entries = sorted(line.removesuffix(" // indirect") for line in required if line[:1] == "\t")
    return "\n".join([*others, "require (", *entries, ")"]).encode(errors="surrogateescape")


def _plain(line: str) -> str:
    return line.rstrip("\r").removesuffix(",")  # in JSON, what follows the last entry adds a comma


def _raised(before: tuple[_Side, int], after: tuple[_Side, int]) -> bool:
    (template, there), (own, here) = before, after
    if _plain(own.masked[here]) != _plain(template.masked[there]):
        return False
    capped = own.upper_bounds(here) != template.upper_bounds(there)
    return not capped and compare(own.versions(here), template.versions(there)) == 1


class _Side:
    """The lines of one version of a manifest."""

    def __init__(self, path: str, text: bytes) -> None:
        self.path = path
        self.lines = text.decode(errors="surrogateescape").split("\n")
        self.masked = [without_numbers(path, line) for line in self.lines]
        self.lists = list_of_each_line(path, self.lines)
        self.all = {at for at, line in enumerate(self.masked) if "\0" in line}
        self.open = set(self.all)

    def places(self, context: int) -> dict[tuple[str, ...], list[int]]:
        """Return the lines with versions, by their list, masked text and that of the lines before.

        Maven's versions, and those in a list, have their name in a line before.
        """
        found: dict[tuple[str, ...], list[int]] = {}
        for at in self.all:
            masked = tuple(self.masked[max(at - context, 0) : at + 1])
            if context or _NAMED.match(masked[-1]):
                found.setdefault((self.lists[at], *masked), []).append(at)
        return found

    def has_open(self, places: list[int]) -> bool:
        """Return whether this is one place, not settled: of several, the right one is not known."""
        return len(places) == 1 and places[0] in self.open

    def versions(self, at: int) -> Versions:
        return numbers(self.path, self.lines[at])

    def upper_bounds(self, at: int) -> Versions:
        return upper_bounds(self.path, self.lines[at])

    def settle(self, at: int, versions: Versions | None) -> None:
        self.open.remove(at)
        if versions and versions != self.versions(at):
            self.lines[at] = with_numbers(self.path, self.lines[at], versions)

    def text(self) -> bytes:
        return "\n".join(self.lines).encode(errors="surrogateescape")


def _settle_versions(path: str, old: bytes, new: bytes, user: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the texts with one version in each line where both sides raised it."""
    sides = _Side(path, old), _Side(path, new), _Side(path, user)
    for context in _CONTEXT:
        before, theirs, ours = (side.places(context) for side in sides)
        for masked in before.keys() & theirs.keys() & ours.keys():
            _settle(sides, (before[masked], theirs[masked], ours[masked]))
    return sides[0].text(), sides[1].text(), sides[2].text()


def _settle(sides: Sequence[_Side], where: Sequence[list[int]]) -> None:
    found = list(zip(sides, where, strict=True))
    if not all(side.has_open(places) for side, places in found):
        return
    old, new, user = (side.versions(places[0]) for side, places in found)
    bounds = {side.upper_bounds(places[0]) for side, places in found}
    winner = _winner(old, new, user, bounded=len(bounds) > 1)
    for side, places in found:
        side.settle(places[0], winner)


def _winner(old: Versions, new: Versions, user: Versions, *, bounded: bool) -> Versions | None:
    """Return the versions of a line; None when they are not this module's to decide.

    A line that one side changed is that side's, also with a lower version: a template can withdraw
    a faulty version. Of two changed ones the higher wins if both raised it, and neither side
    changed an upper bound (`bounded`).
    """
    if new == user or old in (new, user):
        return user if new == old else new
    raised = compare(user, old) == 1 and compare(new, old) == 1
    higher = compare(user, new) if raised and not bounded else None
    if higher is None:
        return None
    return user if higher >= 0 else new


def _is_valid(path: str, text: bytes) -> bool:
    """Return whether JSON or TOML can be parsed, with each name once, as in a list of Maven.

    Other formats are valid.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("duplicate name")
        return dict(pairs)

    try:
        if PurePosixPath(path).suffix == ".json":
            json.loads(text, object_pairs_hook=unique)
        elif PurePosixPath(path).suffix == ".toml":
            tomllib.loads(text.decode())
        elif PurePosixPath(path).suffix == ".xml":
            return not has_artifact_twice(text)
    except (ValueError, RecursionError):
        return False
    return True
