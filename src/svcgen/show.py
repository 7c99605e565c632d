"""Values as text: tables and trees for people, one JSON document for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import PurePath
from typing import Any


def document(value: Any) -> str:
    """Write a result as one JSON document; paths are strings, data classes are objects."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Align rows under the names of their keys."""
    if not rows:
        return ""
    lines = [[name.upper() for name in rows[0]]]
    lines += [[str(cell) for cell in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_padded(line, widths) for line in lines)


def tree(name: str, files: Iterable[str]) -> str:
    """Draw files, given as relative paths, below the folder that holds them."""
    branches: dict[str, Any] = {}
    for file in files:
        branch = branches
        for part in PurePath(file).parts:
            branch = branch.setdefault(part, {})
    return "\n".join([f"{name}/", *_branches(branches, "")])


def _branches(branches: dict[str, Any], indent: str) -> Iterable[str]:
    # Folders stand after the files beside them, so that a file's folder is the line above.
    names = sorted(branches, key=lambda name: (bool(branches[name]), name))
    for name in names:
        last = name == names[-1]
        yield f"{indent}{'└── ' if last else '├── '}{name}{'/' if branches[name] else ''}"
        yield from _branches(branches[name], indent + ("    " if last else "│   "))


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, PurePath) else value
