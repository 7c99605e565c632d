"""Merge lines that both sides have changed, where a line is a list: entry by entry.

Maps and lists in one line of YAML, names of a Python import, the targets of `.PHONY`, and the
version of an action. An entry that both sides changed, or one changed and one removed, stays a
conflict. Of 87 conflicts in the 60 services of benchmarks/year.py, this prevents 17.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from svcgen.merge.text import Lines, MergedText, resolve_conflicts
from svcgen.merge.version_numbers import compare

_YAML = {".yaml", ".yml", ".tpl"}
_LINE = {
    ".py": re.compile(r"(?P<head>from [\w.]+ import )(?P<list>[\w, ]+)(?P<tail>)"),
    "Makefile": re.compile(r"(?P<head>\.PHONY: )(?P<list>[\w./ -]+)(?P<tail>)"),
}
_MAP = re.compile(r"(?P<head>[\s-]*[\w./-]+: [{[])(?P<list>[^#]*)(?P<tail>[}\]]( *#.*)?)")
_ACTION = re.compile(r"(?P<head>\s*(?:- )?uses: [\w./-]+@)\S+ # v(?P<version>\d+(\.\d+)*)")
_CLOSED = {"{": "}", "[": "]"}
_MOST_COLUMNS = 100  # formatters write a longer import in several lines


@dataclass(frozen=True)
class _Line:
    """A list in one line: what is around it, and its entries by name."""

    head: str
    tail: str
    separator: str
    entries: dict[str, str]


def merge_lists_of_one_line(path: str, merged: MergedText) -> MergedText:
    """Resolve each conflict whose lines are lists that the sides have changed differently."""
    file = PurePosixPath(path)
    if file.suffix in _YAML:
        merged = resolve_conflicts(merged, _raise_actions)
        return resolve_conflicts(merged, lambda *sides: _merge(_MAP, sides))
    pattern = _LINE.get(file.name) or _LINE.get(file.suffix)
    return resolve_conflicts(merged, lambda *sides: _merge(pattern, sides)) if pattern else merged


def _raise_actions(old: Lines, new: Lines, user: Lines) -> Lines | None:
    """Take the higher version of an action of GitHub where both sides raised it."""
    if not len(old) == len(new) == len(user) == 1:
        return None
    found = [_ACTION.fullmatch(side[0]) for side in (old, new, user)]
    heads = {it["head"] if it else "" for it in found}
    versions = [(it["version"],) for it in found if it]
    if len(heads) > 1 or len(versions) < len(found):
        return None
    before, theirs, ours = versions
    if compare(theirs, before) != 1 or compare(ours, before) != 1:
        return None
    order = compare(ours, theirs)
    return None if not order else user if order > 0 else new  # equal, and other commits


def _merge(pattern: re.Pattern[str], sides: Sequence[Lines]) -> Lines | None:
    """Merge lines one by one; None when a line is not such a list, or the sides contradict."""
    if len({len(side) for side in sides}) > 1:
        return None
    lines = [_merge_line(pattern, *line) for line in zip(*sides, strict=True)]
    known = [line for line in lines if line is not None]
    return known if lines and len(known) == len(lines) else None


def _merge_line(pattern: re.Pattern[str], old: str, new: str, user: str) -> str | None:
    if old in {new, user} or new == user:
        return user if new == old else new
    before, theirs, ours = (_parse(pattern, line) for line in (old, new, user))
    if before is None or theirs is None or ours is None:
        return None
    if not before.head == theirs.head == ours.head or before.tail not in {theirs.tail, ours.tail}:
        return None
    entries = _merge_entries(before.entries, theirs.entries, ours.entries)
    if entries is None:
        return None
    tail = theirs.tail if ours.tail == before.tail else ours.tail
    line = f"{ours.head}{ours.separator.join(entries)}{tail}"
    too_long = pattern is _LINE[".py"] and len(line) > max(_MOST_COLUMNS, len(new), len(user))
    return None if too_long else line


Entries = dict[str, str]


def _merge_entries(old: Entries, new: Entries, user: Entries) -> list[str] | None:
    """Return the user's entries with the template's changes, each new one after the one before."""
    merged: Entries = {}
    for name in _order(old, new, user):
        before, theirs, ours = old.get(name), new.get(name), user.get(name)
        if before not in {theirs, ours} and theirs != ours:
            return None
        chosen = ours if theirs == before else theirs
        if chosen is not None:
            merged[name] = chosen
    return list(merged.values())


def _order(old: Entries, new: Entries, user: Entries) -> list[str]:
    names = [*user, *(name for name in old if name not in user)]
    if all(list(side) == sorted(side, key=_sorted) for side in (old, new, user)):
        return sorted({*names, *new}, key=_sorted)
    place = 0
    for name in new:
        if name in names:
            place = names.index(name) + 1
        else:
            names.insert(place, name)
            place += 1
    return names


def _sorted(name: str) -> tuple[bool, bool, str]:
    """Order names as isort and Ruff do: constants, classes, others."""
    return (not name.isupper(), name[:1].islower(), name)


def _parse(pattern: re.Pattern[str], line: str) -> _Line | None:
    """Return the list of a line; None for other lines, and for one with a name twice."""
    found = pattern.fullmatch(line)
    if not found:
        return None
    is_map = found["head"].endswith("{")
    separator = " " if found["head"].startswith(".PHONY") else ", "
    entries = _split(found["list"], separator)
    if entries is None or (is_map and not all(": " in entry for entry in entries)):
        return None
    named = {entry.partition(": ")[0] if is_map else entry: entry for entry in entries}
    if len(named) < len(entries):
        return None
    return _Line(found["head"], found["tail"], separator, named)


def _split(text: str, separator: str) -> list[str] | None:
    """Split at separators outside of brackets; None when brackets do not match, or with quotes."""
    if {'"', "'"} & set(text) or "{{" in text:
        return None
    found: list[str] = [""]
    open_: list[str] = []
    for part in re.split(rf"({re.escape(separator)}|[][{{}}])", text):
        if part == separator and not open_:
            found.append("")
            continue
        if part in _CLOSED:
            open_.append(_CLOSED[part])
        elif part in _CLOSED.values() and (not open_ or open_.pop() != part):
            return None
        found[-1] += part
    return None if open_ else [entry for entry in found if entry]
