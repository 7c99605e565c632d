"""What was saved in the folders of services: files that git does not ignore, looked at again.

Build output and caches are ignored by the service's own .gitignore. A file that was written again
with the same content was not saved: a service that writes one at its start is not restarted for it.
"""

from __future__ import annotations

import hashlib
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from svcgen.env_file import ENV_FILE
from svcgen.git import git

LOOK_SECONDS = 0.5
LISTED_AGAIN = 4  # looks until git lists the files again, if no folder has changed
EDITORS = ("*.swp", "*.swo", "*.swx", "*~", ".#*", "#*#", "4913", "*___jb_*___")
"""Files that editors write beside the one that is open."""


@dataclass(frozen=True)
class _File:
    stamp: tuple[int, int, int]
    digest: bytes


@dataclass
class _Folder:
    """The files of one service as they were at the last look."""

    path: Path
    repository: Path
    files: dict[Path, _File] = field(default_factory=dict)
    _listed: list[Path] = field(default_factory=list)
    _folders: dict[Path, int] = field(default_factory=dict)
    _looks: int = 0

    def look(self) -> bool:
        """Return whether a file has another content than at the last look."""
        before = {path: file.digest for path, file in self.files.items()}
        found = {path: self._read(path) for path in self._paths()}
        self.files = {path: file for path, file in found.items() if file}
        return before != {path: file.digest for path, file in self.files.items()}

    def _read(self, path: Path) -> _File | None:
        try:
            about = path.lstat()
            stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
            known = self.files.get(path)
            if known and known.stamp == stamp:
                return known
            if not stat.S_ISREG(about.st_mode):  # a link: what it leads to may block a reader
                return _File(stamp, b"")
            with path.open("rb") as file:
                return _File(stamp, hashlib.file_digest(file, "sha256").digest())
        except OSError:  # removed meanwhile, or a link to nothing
            return None

    def _paths(self) -> list[Path]:
        """Return the files that git does not ignore, and the `.env`, which it does."""
        if not self.path.is_dir():
            return []
        folders = {path: _changed(path) for path in self._folders}
        self._looks += 1
        if not folders or folders != self._folders or self._looks % LISTED_AGAIN == 0:
            self._listed = [*self._list(), self.path / ENV_FILE]
            parents = {path.parent for path in self._listed} | {self.path}
            self._folders = {path: _changed(path) for path in parents}
        return self._listed

    def _list(self) -> Iterator[Path]:
        # An empty repository: so a folder outside of git has files, too.
        variables = {"GIT_DIR": str(self.repository), "GIT_WORK_TREE": str(self.path)}
        unwanted = [f"--exclude={pattern}" for pattern in EDITORS]
        words = ("ls-files", "--others", "--exclude-standard", "-z", *unwanted)
        for name in git(*words, within=self.path, variables=variables).split("\0"):
            if name and not name.endswith("/"):
                yield self.path / name


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


Look = Callable[[], frozenset[str]]
"""Returns the services with a file that changed since its last call."""


@contextmanager
def saves(folders: Mapping[str, Path]) -> Iterator[Look]:
    """Look at each file, and yield the function that looks again."""
    with tempfile.TemporaryDirectory(prefix="svcgen-watch-") as made:
        git("init", "--quiet", made)
        repository = Path(made, ".git")
        watched = {name: _Folder(path, repository) for name, path in folders.items()}

        def look() -> frozenset[str]:
            return frozenset(name for name, folder in watched.items() if folder.look())

        look()
        yield look


def restart_on_save(look: Look, restart: Callable[[str], None], over: threading.Event) -> None:
    """Call `restart` with each service in whose folder a file was saved, until `over` is set.

    Saves that follow each other within LOOK_SECONDS are one. What is saved during a restart is
    followed by another one.
    """
    changed: set[str] = set()
    while not over.wait(LOOK_SECONDS):
        if new := look():
            changed |= new
            continue
        for name in sorted(changed):
            if not over.is_set():
                restart(name)
        changed.clear()
