"""Find which list of a manifest a line is in, and dependencies that a merge has put in one twice.

Two lists have dependencies of one name for different reasons: those of the service and those of
its tests. A version in one says nothing about the other.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from svcgen.merge.lists import entry_name
from svcgen.merge.text import Labels, MergedText

_TABLE = re.compile(r"\s*(\[+[^][]+\]+)\s*(?:#.*)?")
_ARRAY = re.compile(r"\s*([\w.\"'-]+)\s*=\s*\[[^]]*(?:#.*)?")
_JSON = re.compile(r'"(?P<key>(?:[^"\\]|\\.)*)"\s*:\s*(?=[{[])|"(?:[^"\\]|\\.)*"|(?P<mark>[][{}])')
_XML = re.compile(r"<(?P<end>/?)(?P<tag>[A-Za-z][\w.-]*)[^<>]*?(?P<empty>/?)>")
_BLOCK = re.compile(r"(\w+) ?\(\s*(?://.*)?")


def list_of_each_line(path: str, lines: Sequence[str]) -> list[str]:
    """Return for each line of a manifest a name of the list or table that it is in."""
    match PurePosixPath(path).suffix:
        case ".toml":
            return _in_toml(lines)
        case ".json":
            return _in_json(lines)
        case ".xml":
            return _in_xml(lines)
        case ".mod":
            return _in_blocks(lines)
    return [""] * len(lines)


def mark_added_twice(
    path: str, merged: MergedText, new: bytes, user: bytes, labels: Labels
) -> MergedText:
    """Make a conflict of each dependency that both sides added to one list at different places.

    Of two equal lines the user's stays. JSON has no such lists: there a name twice is not valid.
    """
    if merged.content in {new, user}:
        return merged
    lines = _decoded(merged.content).split("\n")
    in_user, in_new = (Counter(_named(path, _decoded(side).split("\n"))) for side in (user, new))
    places: dict[tuple[str, str], list[int]] = {}
    for at, entry in enumerate(_named(path, lines)):
        if entry[1]:
            places.setdefault(entry, []).append(at)
    conflicts = merged.conflicts
    for entry, found in places.items():
        if not len(found) - 1 == in_user[entry] == in_new[entry] == 1:
            continue
        texts = [lines[at].strip().removesuffix(",") for at in found]
        own = [_is_line_of(lines[at], user) for at in found]
        if texts[0] == texts[1]:
            lines[found[1]] = _GONE
        elif own[0] != own[1]:
            mine, theirs = found if own[0] else reversed(found)
            lines[mine] = _conflict(lines[mine], lines[theirs], labels)
            lines[theirs] = _GONE
            conflicts += 1
    content = "\n".join(line for line in lines if line != _GONE)
    return MergedText(content.encode(errors="surrogateescape"), conflicts)


def has_artifact_twice(pom: bytes) -> bool:
    """Return whether a list of Maven dependencies has one artifact twice."""
    lines = _decoded(pom).split("\n")
    found = Counter(
        (where, artifact[1])
        for where, line in zip(_in_xml(lines), lines, strict=True)
        if where.endswith("dependencies\tdependency") and (artifact := _ARTIFACT.search(line))
    )
    return any(count > 1 for count in found.values())


_ARTIFACT = re.compile(r"<artifactId>([^<]*)<")
_GONE = "\0"  # no line of a text has it


def _conflict(user: str, new: str, labels: Labels) -> str:
    end = "\r" if user.endswith("\r") else ""
    lines = (
        f"<<<<<<< {labels.user}", user.removesuffix("\r"), f"||||||| {labels.old}", "=======",
        new.removesuffix("\r"), f">>>>>>> {labels.new}",
    )  # fmt: skip
    return "\n".join(line + end for line in lines)


def _named(path: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    """Return the list and the dependency of each line; "" for other lines, and within conflicts."""
    kind = PurePosixPath(path).suffix
    lists = list_of_each_line(path, lines)
    found, within = [], False
    for line, where in zip(lines, lists, strict=True):
        within = line.startswith("<<<<<<< ") or within
        name = "" if within or kind not in {".toml", ".mod", ".xml"} else entry_name(kind, line)
        found.append((where, name))
        within = within and not line.startswith(">>>>>>> ")
    return found


def _is_line_of(line: str, text: bytes) -> bool:
    plain = line.strip().removesuffix(",")
    return any(plain == one.strip().removesuffix(",") for one in _decoded(text).split("\n"))


def _decoded(text: bytes) -> str:
    return text.decode(errors="surrogateescape")


def _in_toml(lines: Iterable[str]) -> list[str]:
    found, table, array = [], "", ""
    for line in lines:
        if array:
            found.append(f"{table} {array}")
            if line.lstrip().startswith("]"):
                array = ""
            continue
        header, opened = _TABLE.fullmatch(line), _ARRAY.fullmatch(line)
        table = header[1] if header else table
        found.append(table)
        array = opened[1] if opened else ""
    return found


def _in_json(lines: Iterable[str]) -> list[str]:
    found: list[str] = []
    open_: list[str] = []
    key = ""
    for line in lines:
        found.append("\t".join(open_))
        for token in _JSON.finditer(line):
            if token["mark"] in {"{", "["}:
                open_.append(key)
            elif token["mark"]:
                del open_[-1:]
            key = token["key"] or ""
    return found


def _in_xml(lines: Iterable[str]) -> list[str]:
    found: list[str] = []
    open_: list[str] = []
    for line in lines:
        found.append("\t".join(open_))
        for token in _XML.finditer(line):
            if token["end"]:
                if token["tag"] in open_:
                    del open_[len(open_) - 1 - open_[::-1].index(token["tag"]) :]
            elif not token["empty"]:
                open_.append(token["tag"])
    return found


def _in_blocks(lines: Iterable[str]) -> list[str]:
    found, block = [], ""
    for line in lines:
        found.append(block or line.partition(" ")[0])
        opened = _BLOCK.fullmatch(line.rstrip("\r"))
        block = opened[1] if opened else "" if line.startswith(")") else block
    return found
