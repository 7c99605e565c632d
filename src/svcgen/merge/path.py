"""One path that the template has changed: what becomes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from svcgen.merge.files import File, Tree
from svcgen.merge.manifests import merge_manifest
from svcgen.merge.model import Change, Rules, Trees
from svcgen.merge.text import Text, is_binary, merge_added, merge_text
from svcgen.service import ANSWERS_FILE

_ALIKE = 0.5  # git's own threshold, `-M50%`


def merge_path(path: str, trees: Trees, rules: Rules) -> Iterator[Change]:
    """Yield what this path needs: nothing, a change, or a conflict, with the other side beside it.

    Raises SvcgenError when two texts are to be merged and there is no git.
    """
    old, new, mine = trees.old.get(path), trees.new.get(path), trees.mine.get(path)
    if mine == new:
        return
    if path == ANSWERS_FILE:
        yield Change(path, new)
    elif rules.seeded(path):
        if old is None and mine is None:
            yield Change(path, new)
    elif mine == old or (mine is None and _replaced(path, trees)):
        yield Change(path, new)
    elif mine is not None and new is None:
        yield Change(path, mine, _gone(path, trees, rules))
    elif mine is not None and new is not None:
        yield from _both(path, trees, rules)


def _replaced(path: str, trees: Trees) -> bool:
    """Tell whether the user has made a folder of a file: a change, where a deletion is a wish."""
    return any(there.startswith(f"{path}/") for there in trees.mine)


def _gone(path: str, trees: Trees, rules: Rules) -> str:
    added = trees.new.keys() - trees.old.keys()
    there = renamed(path, trees.old[path], added, trees.new)
    became = f"renamed to {there}" if there else "deleted"
    return f"{became} by {rules.newer}, changed by you: yours is still here"


def _both(path: str, trees: Trees, rules: Rules) -> Iterator[Change]:
    new, mine, old = trees.new[path], trees.mine[path], trees.old.get(path)
    ancestor = None if old is None or old.link else old
    text = None if new.link or mine.link else _merged(path, ancestor, new, mine, rules)
    if text is None:
        beside = rules.beside(path)
        reason = f"{_did(old, rules)}, and cannot be merged: the template's is {beside}"
        yield Change(path, mine, reason)
        if beside not in trees.mine:  # else it is from an earlier try, and may be the user's by now
            yield Change(beside, new)
        return
    after = File(text.content, _executable(ancestor, new, mine))
    if text.conflicts:
        places = "1 place" if text.conflicts == 1 else f"{text.conflicts} places"
        yield Change(path, after, f"{_did(old, rules)}, in {places}")
    elif after != mine:
        yield Change(path, after)


def _did(old: File | None, rules: Rules) -> str:
    return f"{'changed' if old else 'added'} by you and by {rules.newer}"


def _executable(old: File | None, new: File, mine: File) -> bool:
    if old is None:
        return new.executable or mine.executable
    return new.executable if mine.executable == old.executable else mine.executable


def _merged(path: str, old: File | None, new: File, mine: File, rules: Rules) -> Text | None:
    """Merge the contents; None: they cannot be merged, being binary."""
    if new.content == mine.content or (old and new.content == old.content):
        return Text(mine.content)
    if old and mine.content == old.content:
        return Text(new.content)
    if any(file and is_binary(file.content) for file in (old, new, mine)):
        return None
    if old is None:
        return merge_added(new.content, mine.content, rules.labels)
    contents = old.content, new.content, mine.content
    if path in rules.manifests:
        return merge_manifest(path, *contents, rules.labels)
    return merge_text(*contents, rules.labels)


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
