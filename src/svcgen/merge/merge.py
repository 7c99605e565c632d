"""Merge what a template changed with the user's files.

Three trees go in, a list of changes comes out; nothing is written. A conflict always keeps both
sides: between markers, or the user's file in its place and the template's beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from svcgen.merge.files import File, Tree, check_path, parents
from svcgen.merge.model import Change, MergeResult, Rules, Trees
from svcgen.merge.path import merge_path


def paths_to_read(old_tree: Tree, new_tree: Tree, rules: Rules) -> set[str]:
    """Return the paths of the user's files that `merge` needs, for `read_tree`.

    Most of a service is not read: what the template has not changed is not merged.
    """
    changed = Trees(old_tree, new_tree, {}).changed()
    manifests = {path for pair in rules.manifests.items() for path in (pair[0], *pair[1])}
    existing = {path for path in manifests if path in old_tree or path in new_tree}
    return {*changed, *existing, *map(rules.beside, changed)}


def merge(old_tree: Tree, new_tree: Tree, user_tree: Tree, rules: Rules) -> MergeResult:
    """Merge what the template changed from `old_tree` to `new_tree` into `user_tree`.

    `user_tree` holds at least the paths of `paths_to_read`. Raises SvcgenError for a path outside
    of the service's folder, and when two texts have to be merged without git.
    """
    for path in new_tree:
        check_path(path)
    trees = Trees(old_tree, new_tree, user_tree)
    manifests = [path for path in rules.manifests if path in new_tree]
    locks = {lock for path in manifests for lock in rules.manifests[path]}
    paths = [path for path in trees.changed() if path not in locks]
    changes = [change for path in paths for change in merge_path(path, trees, rules)]
    after = {change.path: change.after for change in changes}
    lock_needed = False
    for path in manifests:
        manifest = after.get(path, user_tree.get(path))
        lock_changes, outdated = _merge_locks(manifest, path, trees, rules)
        changes += lock_changes
        lock_needed = lock_needed or outdated
    changed = {change.path for change in changes}
    kept_deleted = (
        path
        for path in trees.changed()
        if path in old_tree and path in new_tree and path not in user_tree
        if path not in changed and not rules.seeded(path)
    )
    placed = _place(changes, user_tree, rules)
    return MergeResult(
        changes=tuple(sorted(placed, key=lambda change: (change.after is not None, change.path))),
        kept_deleted=tuple(kept_deleted),
        lock_needed=lock_needed,
    )


def _merge_locks(
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


def _place(changes: Sequence[Change], user_tree: Tree, rules: Rules) -> Iterator[Change]:
    """Give a file another path where a folder is in its way, or a file or link in a folder's.

    A link is not followed even where it leads to a folder: that may be outside of the service.
    """
    removed = {change.path for change in changes if change.after is None}
    kept = {path: file for path, file in user_tree.items() if path not in removed}
    folders = {parent for path in kept for parent in parents(path)}
    for change in changes:
        in_the_way = [parent for parent in parents(change.path) if parent in kept]
        in_the_way += [change.path] if change.path in folders else []
        if not (change.after and in_the_way):
            yield change
            continue
        obstacle = in_the_way[0]
        path = rules.beside(obstacle) + change.path.removeprefix(obstacle)
        reason = f"{obstacle} is in the way: the template's {change.path} is {path}"
        yield Change(path, kept.get(path, change.after), reason)
