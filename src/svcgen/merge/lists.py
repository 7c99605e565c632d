"""Join lists of dependencies, one a line, where both sides have added next to each other.

On the 100 services of tests/update/test_fleet_proof.py this prevents 4 of 43 conflicts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from svcgen.merge.text import Lines, MergedText, resolve_conflicts

# One entry a line: its text, the comma that all but the last entry need, and a comment.
_ENTRY = {
    ".json": re.compile(r'(?P<text>\s*"(?P<name>[^"]+)":\s*"[^"]*")(?P<comma>,?)(?P<tail>)'),
    ".toml": re.compile(
        r"(?P<text>\s*([\"'])(?P<name>[A-Za-z0-9][\w.-]*)[^\"']*\2)(?P<comma>,?)(?P<tail>\s*(#.*)?)"
    ),
    "table": re.compile(  # of TOML: Poetry's and Cargo's dependencies
        r"(?P<text>(?P<name>[\w.-]+|\"[^\"]+\")\s*=\s*"
        r"(\"[^\"]*\"|'[^']*'|[\w.+-]+|\[[^][]*\]|\{[^{}]*\}))(?P<comma>)(?P<tail>\s*(#.*)?)"
    ),
    ".mod": re.compile(r"(?P<text>\t(?P<name>\S+) v\S+( // indirect)?)(?P<comma>)(?P<tail>)"),
    ".xml": re.compile(
        r"(?P<text>\s*<(?P<name>[\w.-]+[.-]version)>[^<]*</(?P=name)>)(?P<comma>)(?P<tail>)"
    ),
}
_WITH_COMMAS = {".json", ".toml"}
_DEPENDENCY = re.compile(
    r"\s*</?(dependency|groupId|artifactId|version|scope|type|classifier|optional)>.*"
)
_ARTIFACT = re.compile(r"<artifactId>([^<]*)<")


@dataclass(frozen=True)
class _Entry:
    name: str
    text: str
    comma: str
    tail: str


_Entries = dict[str, _Entry]


def join_lists(path: str, merged: MergedText) -> MergedText:
    """Resolve each conflict whose sides are lists: take what either side has added or removed.

    An entry that both sides have changed stays a conflict, and so does one with other lines in it.
    """
    return resolve_conflicts(merged, partial(_resolve, PurePosixPath(path).suffix))


def entry_name(kind: str, line: str) -> str:
    """Return the dependency that one line of a list names; "" for any other line."""
    found = _ENTRY[kind].fullmatch(line.rstrip("\r"))
    return found["name"] if found else ""


def _resolve(kind: str, old: Lines, new: Lines, user: Lines) -> Lines | None:
    lines = _join(kind, old, new, user)
    return _join("table", old, new, user) if lines is None and kind == ".toml" else lines


def _join(kind: str, old: Lines, new: Lines, user: Lines) -> Lines | None:
    """Return the lines of the joined list; None when the sides are not lists, or contradict."""
    if kind == ".xml" and not old and _are_dependencies(user, new):
        return user + new
    before, theirs, ours = (_entries(kind, lines) for lines in (old, new, user))
    if before is None or theirs is None or ours is None:
        return None
    entries: list[_Entry] = []
    for name in {**ours, **theirs}:
        old_entry, new_entry, user_entry = (side.get(name) for side in (before, theirs, ours))
        user_changed, new_changed = _differ(old_entry, user_entry), _differ(old_entry, new_entry)
        if user_changed and new_changed and _differ(user_entry, new_entry):
            return None
        chosen = user_entry if user_changed else new_entry
        entries += [chosen] if chosen else []
    if not entries and kind == ".json":
        return None  # the line before it may have one comma too many
    commas = {list(side.values())[-1].comma for side in (theirs, ours) if side}
    if len(commas) > 1 and kind != ".toml":
        return None  # only one side's list ends here
    last = "," if len(commas) > 1 else next(iter(commas), "")
    ends = ["," if kind in _WITH_COMMAS else ""] * (len(entries) - 1) + [last]
    return [e.text + comma + e.tail for e, comma in zip(entries, ends, strict=False)]


def _differ(*entries: _Entry | None) -> bool:
    """Return whether entries differ in more than their comma."""
    return len({entry and (entry.text, entry.tail) for entry in entries}) > 1


def _entries(kind: str, lines: Iterable[str]) -> _Entries | None:
    """Return a list's entries by name; None when other lines are in it, or a name twice."""
    pattern = _ENTRY.get(kind)
    found = [pattern.fullmatch(line) for line in lines] if pattern else [None]
    entries = [_Entry(*it.group("name", "text", "comma", "tail")) for it in found if it]
    named = {entry.name: entry for entry in entries}
    return named if len(named) == len(found) else None


def _are_dependencies(user: list[str], new: list[str]) -> bool:
    """Return whether each side adds different Maven dependencies, and nothing else.

    The lines can begin and end in the middle of a dependency: git can find lines that were added
    between two similar ones at several places.
    """
    texts = ["\n".join(side) for side in (user, new)]
    artifacts = [set(_ARTIFACT.findall(text)) for text in texts]
    return (
        all(_DEPENDENCY.fullmatch(line) for line in user + new)
        and all(text.count("<dependency>") == text.count("</dependency>") for text in texts)
        and not artifacts[0] & artifacts[1]
    )
