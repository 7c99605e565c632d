"""What a merge is told, and what comes out of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from svcgen.merge.files import File, Tree
from svcgen.merge.text import Labels


@dataclass(frozen=True)
class Change:
    """One path that an update changes, or needs the user for."""

    path: str
    after: File | None
    """What will be there; None: nothing. With a conflict it may be what is there already."""
    conflict: str = ""
    """Why the user is needed; "": it merged cleanly."""


@dataclass(frozen=True)
class Rules:
    """Which paths are not merged like the others, and what the two versions are called."""

    seeded: Callable[[str], bool]
    manifests: Mapping[str, tuple[str, ...]]
    """The path of each manifest of dependencies, and those of the locks made from it."""
    old: str
    new: str

    @property
    def labels(self) -> Labels:
        """The names at the markers of a conflict, each on one line."""
        old, new = (" ".join(f"template {name}".split()) for name in (self.old, self.new))
        return Labels(old, new)

    @property
    def newer(self) -> str:
        """What the newer version is called in a sentence."""
        return self.new or "the template"

    def beside(self, path: str) -> str:
        """Return where the template's file goes when it cannot have its own place."""
        return path + _beside(self.new)


def _beside(version: str) -> str:
    return ".svcgen-" + (re.sub(r"[^\w.+-]+", "-", version) or "new")


def is_beside(path: str, version: str) -> bool:
    """Tell whether this is a file of that version which `Rules.beside` gave its place.

    It may be below a folder that got such a name, where a file is in the way of the folder.
    """
    return any(part.endswith(_beside(version)) for part in path.split("/"))


@dataclass(frozen=True)
class Merged:
    """All that an update does to one service."""

    changes: tuple[Change, ...]
    """Removals first: a file may take the place of a folder that they empty."""
    kept_deleted: tuple[str, ...]
    """Paths that the user deleted and the template changed: they stay deleted."""
    lock_needed: bool
    """A lock was left as it is, though the manifest or the template's lock has changed."""

    @property
    def conflicts(self) -> tuple[Change, ...]:
        """The changes that need the user."""
        return tuple(change for change in self.changes if change.conflict)


@dataclass(frozen=True)
class Trees:
    """The three trees of a merge; `mine` may lack what the other two agree on."""

    old: Tree
    new: Tree
    mine: Tree

    def changed(self) -> list[str]:
        """Return the paths that differ between the template's two versions."""
        paths = self.old.keys() | self.new.keys()
        return sorted(path for path in paths if self.old.get(path) != self.new.get(path))
