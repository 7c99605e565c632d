"""What a merge takes and returns: its rules, the three trees, a change for each path."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from svcgen.merge.files import File, Tree
from svcgen.merge.text import Labels


@dataclass(frozen=True)
class Change:
    """One path that an update changes, or that the user has to edit."""

    path: str
    after: File | None
    """The file afterwards; None removes it. With a conflict it can be the user's own file."""
    conflict: str = ""
    """Why the user is needed; "" without a conflict."""


@dataclass(frozen=True)
class Rules:
    """Which paths are merged in another way, and what the two versions are called."""

    seeded: Callable[[str], bool]
    manifests: Mapping[str, tuple[str, ...]]
    """The path of each manifest of dependencies, and the paths of its locks."""
    old: str
    new: str

    @property
    def labels(self) -> Labels:
        """The names at conflict markers, each on one line."""
        old, new = (" ".join(f"template {name}".split()) for name in (self.old, self.new))
        return Labels(old, new)

    @property
    def newer(self) -> str:
        """The newer version's name in a sentence."""
        return self.new or "the template"

    def beside(self, path: str) -> str:
        """Return the path beside `path` for the template's file when both sides are kept."""
        return path + _suffix(self.new)


def is_beside(path: str, version: str) -> bool:
    """Return whether `Rules.beside` made this path, for this version.

    A parent folder can have such a name too, where a file is in the way of the folder.
    """
    return any(part.endswith(_suffix(version)) for part in path.split("/"))


def _suffix(version: str) -> str:
    return ".svcgen-" + (re.sub(r"[^\w.+-]+", "-", version) or "new")


@dataclass(frozen=True)
class MergeResult:
    """All that an update does to one service."""

    changes: tuple[Change, ...]
    """Removals first: a file can take the place of a folder that they empty."""
    kept_deleted: tuple[str, ...]
    """Paths that the user deleted and the template changed: they stay deleted."""
    lock_needed: bool
    """A lock was not changed, although its manifest or the template's lock has changed."""

    @property
    def conflicts(self) -> tuple[Change, ...]:
        """The changes that need the user."""
        return tuple(change for change in self.changes if change.conflict)


@dataclass(frozen=True)
class Trees:
    """The three trees of a merge; `user` may lack the paths that are equal in the other two."""

    old: Tree
    new: Tree
    user: Tree

    def changed(self) -> list[str]:
        """Return the paths that differ between the template's two versions."""
        paths = self.old.keys() | self.new.keys()
        return sorted(path for path in paths if self.old.get(path) != self.new.get(path))
