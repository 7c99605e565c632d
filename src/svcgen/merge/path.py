"""Merge one path that the template has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from svcgen.merge.additions import join_additions
from svcgen.merge.files import File, Tree
from svcgen.merge.manifests import merge_manifest
from svcgen.merge.model import Change, Rules, Trees
from svcgen.merge.one_line import merge_lists_of_one_line
from svcgen.merge.text import MergedText, is_binary, merge_added, merge_text
from svcgen.service import ANSWERS_FILE

_SIMILAR = 0.5  # git's own threshold for a rename, `-M50%`


def merge_path(path: str, trees: Trees, rules: Rules) -> Iterator[Change]:
    """Yield the changes of this path: none, one, or a conflict and the template's file beside it.

    Raises SvcgenError when two texts have to be merged without git.
    """
    old, new, user = trees.old.get(path), trees.new.get(path), trees.user.get(path)
    if user == new:
        return
    if path == ANSWERS_FILE:
        yield Change(path, new)
    elif rules.seeded(path):
        if old is None and user is None:
            yield Change(path, new)
    # A folder in the file's place is an edit by the user; a missing file is a deletion to keep.
    elif user == old or (user is None and any(p.startswith(f"{path}/") for p in trees.user)):
        yield Change(path, new)
    elif new is None and user is not None and _has_crlf_alone(user, trees.old[path]):
        yield Change(path, None)
    elif user is not None and new is None:
        added = trees.new.keys() - trees.old.keys()
        target = _find_renamed(path, trees.old[path], added, trees.new)
        fate = f"renamed to {target}" if target else "deleted"
        yield Change(path, user, f"{fate} by {rules.newer}, changed by you: yours is still here")
    elif user is not None and new is not None:
        yield from _merge_both(path, old, new, user, trees.user, rules)


def _merge_both(  # noqa: PLR0913, PLR0917 (three sides, and where they are)
    path: str, old: File | None, new: File, user: File, user_tree: Tree, rules: Rules
) -> Iterator[Change]:
    ancestor = None if old is None or old.link else old
    text = None if new.link or user.link else _merge_content(path, ancestor, new, user, rules)
    reason = f"{'changed' if old else 'added'} by you and by {rules.newer}"
    if text is None:
        beside = rules.beside(path)
        yield Change(path, user, f"{reason}, and cannot be merged: the template's is {beside}")
        if beside not in user_tree:  # else it is from an earlier try, and may have edits by now
            yield Change(beside, new)
        return
    if ancestor is None:
        executable = new.executable or user.executable
    else:
        changed = user.executable != ancestor.executable
        executable = user.executable if changed else new.executable
    after = File(text.content, executable)
    if text.conflicts:
        places = "1 place" if text.conflicts == 1 else f"{text.conflicts} places"
        yield Change(path, after, f"{reason}, in {places}")
    elif after != user:
        yield Change(path, after)


def _has_crlf_alone(user: File, old: File) -> bool:
    """Return whether a file differs from another in nothing but line ends, as of a checkout."""
    return (
        replace(user, content=user.content.replace(b"\r\n", b"\n")) == old
        and not user.link
        and not is_binary(old.content)
    )


def _merge_content(
    path: str, old: File | None, new: File, user: File, rules: Rules
) -> MergedText | None:
    """Merge the contents; return None for binary files, which cannot be merged."""
    if new.content == user.content or (old and new.content == old.content):
        return MergedText(user.content)
    if old and user.content == old.content:
        return MergedText(new.content)
    if any(file and is_binary(file.content) for file in (old, new, user)):
        return None
    if old is None:
        return merge_added(new.content, user.content, rules.labels)
    contents = old.content, new.content, user.content
    if path in rules.manifests:
        return merge_manifest(path, *contents, rules.labels)
    merged = join_additions(path, merge_text(*contents, rules.labels))
    return merge_lists_of_one_line(path, merged)


def _find_renamed(path: str, file: File, added: Iterable[str], new_tree: Tree) -> str:
    """Return which of the `added` paths of `new_tree` is this file by another name, "" if none.

    Two files are the same when at least half of the larger one's bytes are in lines that both
    have. The most similar wins, then one with the same file name. Git measures in a similar way.
    """
    name, lines = PurePosixPath(path).name, Counter(file.content.splitlines(True))
    best = (_SIMILAR, False, "")
    for target in added:
        other = new_tree[target]
        smaller, larger = sorted((len(file.content), len(other.content)))
        if file.link != other.link or not smaller or smaller < larger * _SIMILAR:
            continue
        common = lines & Counter(other.content.splitlines(True))
        share = sum(len(line) * count for line, count in common.items()) / larger
        best = max(best, (share, PurePosixPath(target).name == name, target))
    return best[2]
