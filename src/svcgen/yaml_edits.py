"""Edits of a YAML file of the user: an entry is renamed or removed, and everything else stays.

PyYAML writes a file without its comments, so the text itself is edited, at the positions of nodes.
The result is read again and compared with what the edit means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.yaml_files import parse_documents, parse_node

Place = tuple[str, ...]
"""The keys that lead to an entry; the last one is a key of a map, or an item of a list."""


def places_in(content: object, places: Iterable[Place]) -> list[Place]:
    """Return those of the places that a document has."""
    return [place for place in places if _has(content, place)]


def rename_entries(text: str, places: Mapping[Place, str]) -> str:
    """Return a text with these entries renamed: keys of maps, or items of lists.

    Raises SvcgenError when the text cannot be edited without a change of something else.
    """
    after = text
    for place, name in places.items():
        *_outer, (_parent, entry) = _find(after, place)
        word = entry[0]
        after = after[: word.start_mark.index] + name + after[word.end_mark.index :]
        _require(after, _renamed(_read(text), place, name))
        text = after
    return after


def remove_entries(text: str, places: Iterable[Place]) -> str:
    """Return a text without these entries; a map or list that would be empty is removed too.

    Raises SvcgenError when the text cannot be edited without a change of something else.
    """
    for place in places:
        found = _find(text, place)
        while len(found) > 1 and len(found[-1][0].value) == 1:
            found.pop()
        after = _without(text, *found[-1])
        _require(after, _removed(_read(text), place))
        text = after
    return text


def _read(text: str) -> Any:
    documents = parse_documents(text)
    return documents[0] if documents else None


def _require(text: str, expected: object) -> None:
    try:
        correct = _read(text) == expected
    except SvcgenError:
        correct = False
    if not correct:
        raise SvcgenError("Its notation is not one that svcgen can edit.", "Edit it by hand.")


def _has(content: object, place: Place) -> bool:
    for name in place:
        if isinstance(content, dict) and name in content:
            content = content[name]
        elif isinstance(content, list) and name in content:
            content = None
        else:
            return False
    return True


def _find(text: str, place: Place) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return the collection and the entry at each step to a place, the outermost first."""
    node, found = parse_node(text), []
    for name in place:
        entries = [entry if isinstance(entry, tuple) else (entry,) for entry in node.value]
        entry = next(each for each in entries if each[0].value == name)
        found.append((node, entry))
        node = entry[-1]
    return found


def _without(text: str, parent: Any, entry: tuple[Any, ...]) -> str:
    """Return a text without one entry of a map or list."""
    if not parent.flow_style:
        lines = text.splitlines(keepends=True)
        first, last = entry[0].start_mark.line, _last_line(entry[-1])
        return "".join(lines[:first] + lines[last + 1 :])
    entries = [each if isinstance(each, tuple) else (each,) for each in parent.value]
    number = next(n for n, each in enumerate(entries) if each[0] is entry[0])
    begin, end = entry[0].start_mark.index, entry[-1].end_mark.index
    if number + 1 < len(entries):
        end = entries[number + 1][0].start_mark.index
    elif number:
        begin = entries[number - 1][-1].end_mark.index
    return text[:begin] + text[end:]


def _last_line(node: Any) -> int:
    """Return the last line of a node: a block's own end is the next token, after comments."""
    if isinstance(node.value, str):
        line: int = node.end_mark.line
        return line - 1 if node.style in {"|", ">"} and node.end_mark.column == 0 else line
    if node.flow_style or not node.value:
        return int(node.end_mark.line)
    last = node.value[-1]
    return _last_line(last[-1] if isinstance(last, tuple) else last)


def _renamed(content: Any, place: Place, name: str) -> Any:
    first, *rest = place
    if isinstance(content, list):
        return [name if item == first else item for item in content]
    if not rest:
        return {name if key == first else key: value for key, value in content.items()}
    return {**content, first: _renamed(content[first], tuple(rest), name)}


def _removed(content: Any, place: Place) -> Any:
    """Return a document without an entry; None when nothing is left."""
    first, *rest = place
    if isinstance(content, list):
        return [item for item in content if item != first] or None
    below = _removed(content[first], tuple(rest)) if rest else None
    left = {**content, first: below} if below is not None else dict(content)
    if below is None:
        del left[first]
    return left or None
