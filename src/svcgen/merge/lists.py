"""Lists of dependencies, one a line: joined where both sides have added to them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from svcgen.merge.text import Text

# One entry a line: what it says, then the comma that all but the last need, then a remark.
_ENTRY = {
    ".json": re.compile(r'(?P<said>\s*"(?P<name>[^"]+)":\s*"[^"]*")(?P<comma>,?)(?P<tail>)'),
    ".toml": re.compile(
        r"(?P<said>\s*([\"'])(?P<name>[A-Za-z0-9][\w.-]*)[^\"']*\2)(?P<comma>,?)(?P<tail>\s*(#.*)?)"
    ),
    "table": re.compile(  # of TOML: Poetry's and Cargo's dependencies
        r"(?P<said>(?P<name>[\w.-]+|\"[^\"]+\")\s*=\s*"
        r"(\"[^\"]*\"|'[^']*'|[\w.+-]+|\[[^][]*\]|\{[^{}]*\}))(?P<comma>)(?P<tail>\s*(#.*)?)"
    ),
    ".mod": re.compile(r"(?P<said>\t(?P<name>\S+) v\S+( // indirect)?)(?P<comma>)(?P<tail>)"),
    ".xml": re.compile(
        r"(?P<said>\s*<(?P<name>[\w.-]+[.-]version)>[^<]*</(?P=name)>)(?P<comma>)(?P<tail>)"
    ),
}
_WITH_COMMAS = {".json", ".toml"}
_CONFLICT = re.compile(
    rb"<<<<<<< [^\n]*\n(?P<mine>(?:.*\n)*?)\|\|\|\|\|\|\| [^\n]*\n(?P<old>(?:.*\n)*?)"
    rb"=======\r?\n(?P<new>(?:.*\n)*?)>>>>>>> [^\n]*(?:\n|\Z)"
)
_DEPENDENCY = re.compile(
    r"\s*</?(dependency|groupId|artifactId|version|scope|type|classifier|optional)>.*"
)
_ARTIFACT = re.compile(r"<artifactId>([^<]*)<")


@dataclass(frozen=True)
class _Entry:
    name: str
    said: str
    comma: str
    tail: str


_Entries = dict[str, _Entry]
_Placed = tuple[str, str, str]


def join_lists(path: str, merged: Text) -> Text:
    """Resolve each conflict whose sides are lists: what either has added or removed, is so.

    One that both have changed, or in which there is anything else, stays a conflict.
    """
    if not merged.conflicts:
        return merged
    content = _CONFLICT.sub(partial(_resolved, PurePosixPath(path).suffix), merged.content)
    return Text(content, sum(1 for _ in _CONFLICT.finditer(content)))


def _resolved(kind: str, conflict: re.Match[bytes]) -> bytes:
    parts = (conflict[part].decode(errors="surrogateescape") for part in ("old", "new", "mine"))
    old, new, mine = (part.splitlines() for part in parts)
    lines = _joined(kind, old, new, mine)
    if lines is None and kind == ".toml":
        lines = _joined("table", old, new, mine)
    if lines is None:
        return conflict[0]
    end = "\r\n" if b"\r\n" in conflict[0] else "\n"
    return "".join(line + end for line in lines).encode(errors="surrogateescape")


def _joined(kind: str, old: list[str], new: list[str], mine: list[str]) -> list[str] | None:
    if kind == ".xml" and not old and _are_dependencies(mine, new):
        return mine + new
    before, theirs, ours = (_entries(kind, lines) for lines in (old, new, mine))
    if before is None or theirs is None or ours is None:
        return None
    chosen = {name: _chosen(name, before, theirs, ours) for name in {**ours, **theirs}}
    comma = _last_comma(kind, theirs, ours)
    if comma is None or any(found is None for found in chosen.values()):
        return None
    entries = [entry for found in chosen.values() for entry in found or ()]
    if not entries and kind == ".json":
        return None  # the line before it may now have a comma too many
    return _listed(kind, entries, comma)


def _chosen(name: str, old: _Entries, new: _Entries, mine: _Entries) -> list[_Entry] | None:
    """Return the entry of this name, if any; None when both sides have changed it."""
    before, theirs, ours = (side.get(name) for side in (old, new, mine))
    if _said(theirs) not in {_said(before), _said(ours)} and _said(ours) != _said(before):
        return None
    chosen = theirs if _said(ours) == _said(before) else ours
    return [chosen] if chosen else []


def _said(entry: _Entry | None) -> tuple[str, str] | None:
    return (entry.said, entry.tail) if entry else None


def _entries(kind: str, lines: Iterable[str]) -> _Entries | None:
    """Return a list's entries by name; None when it is more than a list, or has a name twice."""
    pattern = _ENTRY.get(kind)
    found = [pattern.fullmatch(line) for line in lines] if pattern else [None]
    entries = [_Entry(*it.group("name", "said", "comma", "tail")) for it in found if it]
    named = {entry.name: entry for entry in entries}
    return named if len(named) == len(found) else None


def _last_comma(kind: str, new: _Entries, mine: _Entries) -> str | None:
    """Return what follows the last entry, as on both sides; None when JSON's do not agree."""
    commas = {list(side.values())[-1].comma for side in (new, mine) if side}
    if len(commas) > 1:
        return "," if kind == ".toml" else None
    return commas.pop() if commas else ""


def _listed(kind: str, entries: Sequence[_Entry], last: str) -> list[str]:
    between = "," if kind in _WITH_COMMAS else ""
    commas = [between] * (len(entries) - 1) + [last]
    return [entry.said + comma + entry.tail for entry, comma in zip(entries, commas, strict=False)]


def _are_dependencies(mine: list[str], new: list[str]) -> bool:
    """Tell whether each side adds Maven dependencies of its own, and nothing else.

    They may begin in the middle of one and end in the middle of the next: lines that one adds
    between two that look alike can be found at several places.
    """
    return (
        all(_DEPENDENCY.fullmatch(line) for line in mine + new)
        and all(_nesting(side) == 0 for side in (mine, new))
        and not _artifacts(mine) & _artifacts(new)
    )


def _nesting(lines: Iterable[str]) -> int:
    text = "\n".join(lines)
    return text.count("<dependency>") - text.count("</dependency>")


def _artifacts(lines: Iterable[str]) -> set[str]:
    return set(_ARTIFACT.findall("\n".join(lines)))


def without_doubles(path: str, merged: bytes, new: bytes, mine: bytes) -> bytes:
    """Remove an entry that both sides have added to one list, at different places of it."""
    kind = PurePosixPath(path).suffix
    most = _counted(_all_entries(kind, new)) | _counted(_all_entries(kind, mine))
    lines = merged.splitlines(keepends=True)
    entries = _all_entries(kind, merged)
    extra = _counted(entries) - most
    kept = []
    for line, entry in zip(lines, entries, strict=True):
        if entry and extra[entry] > 0:  # the first of two, as the last may need no comma
            extra[entry] -= 1
        else:
            kept.append(line)
    return b"".join(kept)


def _counted(entries: Iterable[_Placed | None]) -> Counter[_Placed]:
    return Counter(entry for entry in entries if entry)


def _all_entries(kind: str, text: bytes) -> list[_Placed | None]:
    """Return for each line the list that it is an entry of and what it says, None for others.

    A list goes by the line that begins it and, in TOML, by its table.
    """
    pattern = _ENTRY.get(kind) if kind != ".xml" else None
    found: list[_Placed | None] = []
    table = head = ""
    for line in (line.decode(errors="surrogateescape") for line in text.splitlines()):
        entry = pattern.fullmatch(line) if pattern else None
        found.append((table, head, entry["said"] + entry["tail"]) if entry else None)
        if not entry and line.strip() and not line.strip().startswith("#"):
            head = line
            table = line if line.startswith("[") else table
    return found
