"""Files as values: read a tree, merge it in memory, write one file at a time."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from svcgen.errors import SvcgenError
from svcgen.files import remove_stale, replacing


@dataclass(frozen=True, slots=True)
class File:
    """A file, or a symbolic link, whose content is then its target."""

    content: bytes
    executable: bool = False
    link: bool = False


Tree = Mapping[str, File]
"""Files by their path below some folder, with slashes. Folders themselves are not in it."""


def read_tree(folder: Path, paths: Iterable[str] | None = None) -> dict[str, File]:
    """Read all files below `folder`, or only these paths; a path without a file is left out.

    Of all files, those in a `.git` folder are left out: a template's task may have made it.

    What is in the way of a path is in the tree under its own name: all files of a folder of that
    name, and a file or link in the place of one of its parent folders. Links are not followed.
    Raises SvcgenError for what is neither a file, a folder nor a link.
    """
    if paths is None:
        return dict(_read_all(folder, ""))
    found: dict[str, File] = {}
    is_folder: dict[str, bool] = {"": True}
    for path in paths:
        found.update(_read_path(folder, path, is_folder))
    return found


def parents(path: str) -> list[str]:
    """Return the folders of a path, outermost first: `a/b/c` has `a` and `a/b`."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def check_path(path: str) -> None:
    """Raise SvcgenError for a path outside of its folder, or inside a `.git` folder.

    Git has the same rule for the paths of a commit.
    """
    parts = path.split("/")
    if path.startswith("/") or not {"", ".", ".."}.isdisjoint(parts) or "\0" in path:
        raise SvcgenError(f"The template writes {path!r}, which is outside of the service.")
    if any(part.lower() == ".git" for part in parts):
        raise SvcgenError(f"The template writes {path!r}, which is in git's own folder.")


def write_file(folder: Path, path: str, file: File) -> None:
    """Write one file below `folder` in one step; create missing folders.

    A file that exists keeps its permissions, except the executable bits; a link is replaced, not
    followed. Raises SvcgenError when the file cannot be written, and when the path is outside of
    `folder`: by its name, or through a link in the place of a folder.
    """
    target = _target(folder, path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = _mode(target)
        if stat.S_ISDIR(mode):
            target.rmdir()  # its files are removed first; with other files in it this fails
        with replacing(target) as temporary:
            if file.link:
                temporary.symlink_to(os.fsdecode(file.content))
                return
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            descriptor = os.open(temporary, flags, 0o777 if file.executable else 0o666)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(file.content)
                if stat.S_ISREG(mode):
                    os.fchmod(descriptor, _permissions(mode, executable=file.executable))
    except OSError as error:
        raise SvcgenError(f"{target} cannot be written: {error.strerror}.") from error


def remove_file(folder: Path, path: str) -> None:
    """Remove one file below `folder`, if it exists, and the folders that this leaves empty.

    Raises SvcgenError as `write_file` does.
    """
    target = _target(folder, path)
    try:
        remove_stale(target)
        target.unlink(missing_ok=True)
    except OSError as error:
        raise SvcgenError(f"{target} cannot be removed: {error.strerror}.") from error
    with suppress(OSError):  # the first folder that is not empty, or does not exist
        for parent in reversed(parents(path)):
            (folder / parent).rmdir()


def _read_path(folder: Path, path: str, is_folder: dict[str, bool]) -> Iterator[tuple[str, File]]:
    """Yield the file at `path`, or what is in its way; `is_folder` caches what was read."""
    for parent in parents(path):
        if parent not in is_folder:
            mode = _mode(folder / parent)
            is_folder[parent] = stat.S_ISDIR(mode)
            if mode and not is_folder[parent]:
                yield parent, _read(folder / parent, mode)
        if not is_folder[parent]:
            return
    mode = _mode(folder / path)
    if stat.S_ISDIR(mode):
        yield from _read_all(folder / path, f"{path}/")
    elif mode:
        yield path, _read(folder / path, mode)


def _read_all(folder: Path, prefix: str) -> Iterator[tuple[str, File]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name == ".git":
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _read_all(Path(entry.path), f"{prefix}{entry.name}/")
            else:
                mode = entry.stat(follow_symlinks=False).st_mode
                yield f"{prefix}{entry.name}", _read(Path(entry.path), mode)


def _read(path: Path, mode: int) -> File:
    if stat.S_ISLNK(mode):
        return File(os.fsencode(path.readlink()), link=True)
    if not stat.S_ISREG(mode):
        raise SvcgenError(f"{path} is neither a file nor a folder nor a link.", "Move it away.")
    try:
        return File(path.read_bytes(), executable=bool(mode & stat.S_IXUSR))
    except OSError as error:
        raise SvcgenError(f"{path} cannot be read: {error.strerror}.") from error


def _mode(path: Path) -> int:
    """Return the mode of a file, folder or link; 0 when the path does not exist."""
    try:
        return path.lstat().st_mode
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}:
            return 0
        raise SvcgenError(f"{path} cannot be read: {error.strerror}.") from error


def _permissions(mode: int, *, executable: bool) -> int:
    """Return a file's permissions, executable for all who may read it, or not at all."""
    permissions = stat.S_IMODE(mode)
    if executable == bool(mode & stat.S_IXUSR):
        return permissions
    return permissions | (permissions & 0o444) >> 2 if executable else permissions & ~0o111


def _target(folder: Path, path: str) -> Path:
    check_path(path)
    for parent in parents(path):
        mode = _mode(folder / parent)
        if mode and not stat.S_ISDIR(mode):
            raise SvcgenError(
                f"{folder / path} cannot be written: {PurePosixPath(parent)} is not a folder.",
                "A link in the place of a folder is not followed: its target may be outside of the "
                "service.",
            )
    return folder / path
