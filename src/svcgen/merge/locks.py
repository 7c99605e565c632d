"""Locks are never merged: one is the template's, or stays the user's and is made anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from svcgen.merge.files import File
from svcgen.merge.model import Change, Rules, Trees
from svcgen.merge.path import merge_path


def merge_locks(
    manifest: File | None, path: str, trees: Trees, rules: Rules
) -> tuple[tuple[Change, ...], bool]:
    """Return what becomes of the locks of the manifest at `path`, and whether they are outdated.

    `manifest` is the merged one, None when the user has none. The template's locks are taken, all
    or none, where they fit: it is the template's manifest, and the user has not touched a lock.
    """
    locks = [lock for lock in rules.manifests[path] if lock in trees.old or lock in trees.new]
    present = [lock for lock in locks if lock in trees.mine or lock not in trees.old]
    if manifest is None or not present:
        return (), False
    if manifest == trees.new.get(path) and all(_untouched(lock, trees) for lock in present):
        return tuple(_taken(present, trees)), False
    changes = tuple(change for lock in present for change in _left(lock, trees, rules))
    changed = any(trees.old.get(lock) != trees.new.get(lock) for lock in present)
    return changes, changed or manifest != trees.mine.get(path)


def _untouched(lock: str, trees: Trees) -> bool:
    return trees.mine.get(lock) in {trees.old.get(lock), trees.new.get(lock)}


def _taken(locks: Sequence[str], trees: Trees) -> Iterator[Change]:
    for lock in locks:
        if trees.mine.get(lock) != trees.new.get(lock):
            yield Change(lock, trees.new.get(lock))


def _left(lock: str, trees: Trees, rules: Rules) -> Iterator[Change]:
    """Yield what even a lock that does not fit needs: it comes, and it goes, with the template."""
    if lock not in trees.new or lock not in trees.mine:
        yield from merge_path(lock, trees, rules)
