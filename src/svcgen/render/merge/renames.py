"""Where a file went that a template no longer has under its old name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from svcgen.render.merge.tree import File, Tree

_ALIKE = 0.5  # git's own threshold, `-M50%`


def renamed(path: str, file: File, added: Iterable[str], new: Tree) -> str:
    """Return which of the `added` paths of `new` holds this file by another name, "" if none.

    Two files are one when at least half of the larger one's bytes stand in lines that both have;
    of several, the most alike, then one that kept its name. Git finds renames by such a measure.
    """
    alike = [(_alike(file, new[there]), _kept_name(path, there), there) for there in added]
    best = max(alike, default=(0.0, False, ""))
    return best[2] if best[0] >= _ALIKE else ""


def _kept_name(path: str, there: str) -> bool:
    return PurePosixPath(path).name == PurePosixPath(there).name


def _alike(one: File, other: File) -> float:
    larger = max(len(one.content), len(other.content))
    smaller = min(len(one.content), len(other.content))
    if one.link != other.link or smaller < larger * _ALIKE or not smaller:
        return 0.0
    both = Counter(one.content.splitlines(True)) & Counter(other.content.splitlines(True))
    return sum(len(line) * count for line, count in both.items()) / larger
