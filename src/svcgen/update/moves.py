"""Files whose paths have the name of a service in them: with the name, they move.

A template renders `com/acme/orders/Store.java` for one name and `com/acme/sales/Store.java` for
another. A merge by path would see a deleted file and an added one, and the user's edits would be
a conflict. So the older render and the user's files get their new paths before the merge.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import PurePosixPath

from svcgen.merge.files import File, Tree
from svcgen.merge.model import Change, MergeResult
from svcgen.merge.text import is_binary


@dataclass(frozen=True)
class Rename:
    """A name that the answers had, and the one that they get.

    In a caller it is `called`: what moves there is generated from a copy of the called service's
    document, so an edited file is kept and not merged.
    """

    old: str
    new: str
    called: bool = False


@dataclass(frozen=True)
class Moves:
    """Where files move, by their old path, and the words of packages that change with a folder."""

    paths: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)

    def tree(self, tree: Tree) -> dict[str, File]:
        """Return a tree with all files at their new paths, and the packages in them renamed."""
        return {self.paths.get(path, path): self._file(path, file) for path, file in tree.items()}

    def _file(self, path: str, file: File) -> File:
        if path not in self.paths or file.link or is_binary(file.content):
            return file
        content = file.content
        for old, new in self.packages.items():
            whole = rb"(?<![\w.])%s(?!\w)" % re.escape(old.encode())
            content = re.sub(whole, new.encode(), content)
        return replace(file, content=content)

    def kept(self, old_tree: Tree, user_tree: Tree) -> set[str]:
        """Return the new paths of files that the user has changed; all trees have moved."""
        paths = user_tree.keys() & set(self.paths.values())
        return {path for path in paths if user_tree[path] != old_tree.get(path)}

    def without(self, taken: Collection[str]) -> Moves:
        """Return the moves whose new paths the user does not have a file at."""
        free = {old: new for old, new in self.paths.items() if new not in taken}
        return replace(self, paths=free)

    def complete(self, merged: MergeResult, user_tree: Tree) -> MergeResult:
        """Return the merge of moved trees as changes of the user's files, which have not moved."""
        moved = {old: new for old, new in self.paths.items() if old in user_tree}
        changes = {change.path: change for change in merged.changes}
        after = self.tree({old: user_tree[old] for old in moved})
        for path in moved.values():
            change = changes.get(path)
            if change is None:
                changes[path] = Change(path, after[path])
            elif change.after is None:
                del changes[path]  # it does not exist there; the old path is removed
        changes |= {path: Change(path, None) for path in moved}
        ordered = sorted(changes.values(), key=lambda each: (each.after is not None, each.path))
        return replace(merged, changes=tuple(ordered))


def find_moves(old_tree: Tree, new_tree: Tree, rename: Rename, own: Iterable[str]) -> Moves:
    """Return the moves between two renders that differ in a name.

    `own` are the paths of the user's files: those in a folder that moves as a whole move with it.
    """
    added = new_tree.keys() - old_tree.keys()
    paths = {}
    for path in sorted(old_tree.keys() - new_tree.keys()):
        target = next((each for each in _renamed(path, rename) if each in added), "")
        if target:
            paths[path] = target
            added.discard(target)
    folders = dict(_moved_folders(old_tree, paths))
    packages: dict[str, str] = {}
    for old, new in folders.items():
        inside = [old_tree[path] for path in old_tree if path.startswith(f"{old}/")]
        packages |= _package(old, new, inside)
        paths |= {
            path: new + path.removeprefix(old)
            for path in own
            if path.startswith(f"{old}/") and path not in old_tree
        }
    return Moves(paths, packages)


def forms(name: str) -> tuple[str, ...]:
    """Return how languages spell a name: `order-items`, `order_items`, `OrderItems` and others."""
    words = name.split("-")
    pascal = "".join(word.capitalize() for word in words)
    return (name, "_".join(words), pascal, pascal[:1].lower() + pascal[1:], "".join(words))


def _renamed(path: str, rename: Rename) -> Iterator[str]:
    """Yield a path with the name replaced: everywhere, then in one place."""
    for old, new in zip(forms(rename.old), forms(rename.new), strict=True):
        if old in path:
            yield path.replace(old, new)
            for found in re.finditer(re.escape(old), path):
                yield path[: found.start()] + new + path[found.end() :]


def _moved_folders(old_tree: Tree, paths: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the outermost folders of which every rendered file moves to the same other folder."""
    found: list[str] = []
    for old, new in paths.items():
        for folder in reversed(PurePosixPath(old).parents[:-1]):
            below = PurePosixPath(old).relative_to(folder)
            target = str(PurePosixPath(new).parents[len(below.parts) - 1])
            name = str(folder)
            inside = [path for path in old_tree if path.startswith(f"{name}/")]
            whole = all(paths.get(path) == target + path.removeprefix(name) for path in inside)
            if whole and target != name and not any(name.startswith(f"{each}/") for each in found):
                if name not in found:
                    found.append(name)
                    yield name, target
                break


def _package(old: str, new: str, files: Iterable[File]) -> dict[str, str]:
    """Return the package that a folder stands for in its files, and its new name; none else."""
    contents = b"\n".join(file.content for file in files if not is_binary(file.content))
    before, after = old.split("/")[::-1], new.split("/")[::-1]
    suffixes = accumulate(before, lambda tail, part: f"{part}.{tail}")
    longest = [
        (count, suffix)
        for count, suffix in enumerate(suffixes, 1)
        if count > 1 and suffix.encode() in contents
    ]
    if not longest:
        return {}
    count, suffix = longest[-1]
    return {suffix: ".".join(reversed(after[:count]))}
