"""Merge locks: each is the template's, or stays the user's and has to be made again."""

from __future__ import annotations

from svcgen.merge.files import File
from svcgen.merge.model import Change, Rules, Trees
from svcgen.merge.path import merge_path


def merge_locks(
    manifest: File | None, path: str, trees: Trees, rules: Rules
) -> tuple[tuple[Change, ...], bool]:
    """Return the changes of the locks of the manifest at `path`, and whether they are outdated.

    `manifest` is the merged one, None when the user has none. The template's locks are taken, all
    or none, where they fit: the manifest is the template's, and the user has not edited a lock.
    """
    old, new, user = trees.old, trees.new, trees.user
    locks = [lock for lock in rules.manifests[path] if lock in old or lock in new]
    present = [lock for lock in locks if lock in user or lock not in old]
    if manifest is None or not present:
        return (), False
    untouched = all(user.get(lock) in {old.get(lock), new.get(lock)} for lock in present)
    if manifest == new.get(path) and untouched:
        taken = (lock for lock in present if user.get(lock) != new.get(lock))
        return tuple(Change(lock, new.get(lock)) for lock in taken), False
    # A lock that does not fit is still added and removed with the template.
    moved = [lock for lock in present if lock not in new or lock not in user]
    changes = tuple(change for lock in moved for change in merge_path(lock, trees, rules))
    changed = any(old.get(lock) != new.get(lock) for lock in present)
    return changes, changed or manifest != user.get(path)
