"""Keep both where each side has only added whole entries at one place, in files of known formats.

Patterns of an ignore file, targets of a Makefile, items and keys of YAML, labels of an image: git
reports a conflict, although neither side changed a line of the other. The user's come first.
Of 87 conflicts in the 60 services of benchmarks/year.py, this prevents 65.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from svcgen.merge.text import Lines, MergedText, resolve_conflicts

_IGNORE_FILES = {".gitignore", ".dockerignore", ".helmignore"}
_YAML = {".yaml", ".yml"}
_RULE = re.compile(r"([A-Za-z0-9][\w./-]*) *:(?![:=])(?!.*[:;]=).*")
_PHONY = re.compile(r"\.PHONY: *([\w./-]+)")
_ITEM = re.compile(r"( *)- (\S.*)")
_KEY = re.compile(r"( *)([A-Za-z][\w./-]*):(?: .*)?")
_VARIABLE = re.compile(r"([A-Za-z_]\w*) *[:?+]?= *.*")
# Tags of a Helm template that begin, divide or end a block.
_TAG = re.compile(r"\{\{-? *(if|range|with|else|end|define|block)\b")
_ENDS = {"else": 0, "end": -1}
# One name and value of LABEL or ENV, and what continues the instruction.
_LABEL = re.compile(r"(?P<text>\s+(?P<name>[\w.-]+)=(?:\"[^\"]*\"|[^\s\"]+))(?P<more> *\\)?")

Names = list[str]


def join_additions(path: str, merged: MergedText) -> MergedText:
    """Resolve each conflict in which both sides have only added entries with different names."""
    file = PurePosixPath(path)
    if file.name in _IGNORE_FILES:
        return resolve_conflicts(merged, _join_patterns)
    if file.name == "Makefile":
        return resolve_conflicts(merged, _join_rules)
    if file.name == "Dockerfile":
        return resolve_conflicts(merged, _join_labels)
    return resolve_conflicts(merged, _join_yaml) if file.suffix in _YAML else merged


def _join_patterns(old: Lines, new: Lines, user: Lines) -> Lines | None:
    """Join patterns; the order is only relevant with `!`, which includes a file again."""
    if old or any(line.startswith("!") for line in (*new, *user)):
        return None
    return user + [line for line in new if line not in user]


def _join_rules(old: Lines, new: Lines, user: Lines) -> Lines | None:
    names = _rules(user), _rules(new)
    return None if old or not _are_different(*names) else _with_gap(user, new)


def _with_gap(user: Lines, new: Lines) -> Lines:
    """Join two blocks with an empty line between them, at the end if both began with one."""
    return user + new if user[-1] == "" or new[0] == "" else [*user, "", *new]


def _rules(lines: Lines) -> Names:
    """Return the targets of whole rules, and variables; none when there are other lines."""
    found: Names = []
    declared: Names = []
    for line in lines:
        rule, phony = _RULE.fullmatch(line), _PHONY.fullmatch(line)
        named = rule or _VARIABLE.fullmatch(line)
        if named:
            found.append(named[1])
        elif phony:
            declared.append(phony[1])
        elif line and not line.startswith("#") and not (line.startswith("\t") and found):
            return []
    return found if set(declared) <= set(found) else []


def _join_yaml(old: Lines, new: Lines, user: Lines) -> Lines | None:
    for entry in (_ITEM, _KEY):
        names = _entries(user, entry), _entries(new, entry)
        if not old and _are_different(*names) and _indent(user) == _indent(new):
            return user + new
    return None


def _indent(lines: Lines) -> int:
    return len(lines[0]) - len(lines[0].lstrip(" "))


def _entries(lines: Lines, entry: re.Pattern[str]) -> Names:
    """Return what each entry of a list or map begins with; none when there are other lines.

    Lines that are indented more belong to the entry before it, comments to the one after it.
    """
    if not lines or not _has_whole_blocks(lines):
        return []
    indent, found, is_entry = _indent(lines), list[str](), True
    for line in lines:
        beginning = entry.fullmatch(line)
        if beginning and len(beginning[1]) == indent:
            found.append(beginning[2])
            is_entry = True
        elif line.startswith(" " * indent + "#"):
            is_entry = False
        elif (
            line.strip()
            and not _TAG.match(line.lstrip())
            and not (found and is_entry and line.startswith(" " * (indent + 1)))
        ):
            return []
    return found if is_entry else []


def _has_whole_blocks(lines: Lines) -> bool:
    """Return whether each block of a template that begins in these lines ends in them."""
    open_ = 0
    for tag in _TAG.findall("\n".join(lines)):
        if tag in _ENDS and not open_:
            return False
        open_ += _ENDS.get(tag, 1)
    return not open_ and not any("{%" in line for line in lines)


def _are_different(user: Names, new: Names) -> bool:
    """Return whether both sides have entries, each name once."""
    return bool(user and new) and len({*user, *new}) == len(user) + len(new)


def _join_labels(old: Lines, new: Lines, user: Lines) -> Lines | None:
    """Join names and values that follow the same lines, which each side has continued."""
    before, theirs, ours = (_labels(lines) for lines in (old, new, user))
    count = len(before)
    if not (before and theirs[:count] == before == ours[:count]):
        return None
    added = ours[count:], theirs[count:]
    if not _are_different(*([name for name, _ in side] for side in added)):
        return None
    ends = {lines[-1].endswith("\\") for lines in (old, new, user)}
    if len(ends) > 1:
        return None
    texts = [text for _, text in (*ours, *theirs[count:])]
    return [*(f"{text} \\" for text in texts[:-1]), texts[-1] + (" \\" if True in ends else "")]


def _labels(lines: Lines) -> list[tuple[str, str]]:
    """Return names, and lines without what continues them; none when there are other lines."""
    found = [_LABEL.fullmatch(line) for line in lines]
    continued = all(it and it["more"] for it in found[:-1])
    return [(it["name"], it["text"]) for it in found if it] if continued and all(found) else []
