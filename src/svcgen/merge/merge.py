"""What an update does to a service's files: the template's change, merged with the user's.

Three trees go in, a list of changes comes out; nothing is written. A conflict always keeps both
sides: between markers, or the user's in its place and the template's beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from svcgen.merge.files import Tree, check_path, parents
from svcgen.merge.locks import merge_locks
from svcgen.merge.model import Change, Merged, Rules, Trees, is_beside
from svcgen.merge.path import merge_path

__all__ = ["Change", "Merged", "Rules", "is_beside", "looked_at", "merge"]


def looked_at(old: Tree, new: Tree, rules: Rules) -> set[str]:
    """Return the paths of the user's that `merge` wants in `mine`, for `read_tree`.

    What the template has not changed needs no look, so most of a service is never read.
    """
    changed = Trees(old, new, {}).changed()
    locked = {path for pair in rules.manifests.items() for path in (pair[0], *pair[1])}
    there = {path for path in locked if path in old or path in new}
    return {*changed, *there, *map(rules.beside, changed)}


def merge(old: Tree, new: Tree, mine: Tree, rules: Rules) -> Merged:
    """Merge what the template changed from `old` to `new` into `mine`.

    `mine` holds at least the paths of `looked_at`. Raises SvcgenError for a path of the template
    that leaves the service's folder, and when two texts are to be merged and there is no git.
    """
    for path in new:
        check_path(path)
    trees = Trees(old, new, mine)
    groups = [locks for manifest, locks in rules.manifests.items() if manifest in new]
    locks = {lock for group in groups for lock in group}
    paths = [path for path in trees.changed() if path not in locks]
    changes = [change for path in paths for change in merge_path(path, trees, rules)]
    lock_changes, needed = _locked(changes, trees, rules)
    changes += lock_changes
    placed = _placed(changes, mine, rules)
    return Merged(
        changes=tuple(sorted(placed, key=lambda change: (change.after is not None, change.path))),
        kept_deleted=tuple(_kept_deleted(trees, changes, rules)),
        lock_needed=needed,
    )


def _locked(changes: Iterable[Change], trees: Trees, rules: Rules) -> tuple[list[Change], bool]:
    after = {change.path: change.after for change in changes}
    merged = [
        merge_locks(after.get(path, trees.mine.get(path)), path, trees, rules)
        for path in rules.manifests
        if path in trees.new
    ]
    return [change for found, _ in merged for change in found], any(needed for _, needed in merged)


def _placed(changes: Iterable[Change], mine: Tree, rules: Rules) -> Iterator[Change]:
    """Put beside it what has no place: a folder is in its way, or a file or link for a folder.

    A link is not followed even where it leads to a folder: it may lead out of the service.
    """
    changes = list(changes)
    removed = {change.path for change in changes if change.after is None}
    kept = {path: file for path, file in mine.items() if path not in removed}
    folders = {parent for path in kept for parent in parents(path)}
    for change in changes:
        obstacle = _obstacle(change.path, kept, folders) if change.after else ""
        yield _beside(change, obstacle, kept, rules) if obstacle else change


def _obstacle(path: str, kept: Tree, folders: Set[str]) -> str:
    in_place_of_a_folder = (parent for parent in parents(path) if parent in kept)
    return next(in_place_of_a_folder, path if path in folders else "")


def _beside(change: Change, obstacle: str, kept: Tree, rules: Rules) -> Change:
    path = rules.beside(obstacle) + change.path.removeprefix(obstacle)
    reason = f"{obstacle} is in the way: the template's {change.path} is {path}"
    return Change(path, kept.get(path, change.after), reason)


def _kept_deleted(trees: Trees, changes: Iterable[Change], rules: Rules) -> Iterator[str]:
    changed = {change.path for change in changes}
    for path in trees.changed():
        both = path in trees.old and path in trees.new
        if both and path not in trees.mine and path not in changed and not rules.seeded(path):
            yield path
