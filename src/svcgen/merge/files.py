"""Files as values: a tree is read once, merged in memory, and written one file at a time."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from svcgen.errors import SvcgenError


@dataclass(frozen=True, slots=True)
class File:
    """A file, or a symbolic link, whose content is then its target."""

    content: bytes
    executable: bool = False
    link: bool = False


Tree = Mapping[str, File]
"""Files by their path below some folder, with slashes. Folders are not there, their files are."""


def read_tree(folder: Path, paths: Iterable[str] | None = None) -> dict[str, File]:
    """Read all files below `folder`, or what stands where these paths want to be.

    A path that is not there is left out. What is in a path's way is in the tree under its own
    name: all files of a folder of that name, and a file or link in the place of one of its parent
    folders. Links are never followed. Raises SvcgenError for what is no file, folder or link.
    """
    if paths is None:
        return dict(_all_below(folder, ""))
    found: dict[str, File] = {}
    folders: dict[str, bool] = {"": True}
    for path in paths:
        found.update(_standing_at(folder, path, folders))
    return found


def _standing_at(folder: Path, path: str, folders: dict[str, bool]) -> Iterator[tuple[str, File]]:
    """Yield what keeps `path` from being, or is it; `folders` remembers what was asked before."""
    for parent in parents(path):
        if parent not in folders:
            mode = _mode(folder / parent)
            folders[parent] = stat.S_ISDIR(mode)
            if mode and not folders[parent]:
                yield parent, _read(folder / parent, mode)
        if not folders[parent]:
            return
    mode = _mode(folder / path)
    if stat.S_ISDIR(mode):
        yield from _all_below(folder / path, f"{path}/")
    elif mode:
        yield path, _read(folder / path, mode)


def parents(path: str) -> list[str]:
    """Return the folders of a path, outermost first: `a/b/c` has `a` and `a/b`."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _all_below(folder: Path, prefix: str) -> Iterator[tuple[str, File]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from _all_below(Path(entry.path), f"{prefix}{entry.name}/")
            else:
                mode = entry.stat(follow_symlinks=False).st_mode
                yield f"{prefix}{entry.name}", _read(Path(entry.path), mode)


def _mode(path: Path) -> int:
    """Return the mode of what has this name, 0 where nothing has."""
    try:
        return path.lstat().st_mode
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}:
            return 0
        raise SvcgenError(f"{path} cannot be read: {error.strerror}.") from error


def _read(path: Path, mode: int) -> File:
    if stat.S_ISLNK(mode):
        return File(os.fsencode(path.readlink()), link=True)
    if not stat.S_ISREG(mode):
        raise SvcgenError(f"{path} is neither a file nor a folder nor a link.", "Move it away.")
    try:
        return File(path.read_bytes(), executable=bool(mode & stat.S_IXUSR))
    except OSError as error:
        raise SvcgenError(f"{path} cannot be read: {error.strerror}.") from error


def check_path(path: str) -> None:
    """Refuse a path that would leave its folder, or reach into a repository's own.

    Git has the same rule for the paths of a commit. Raises SvcgenError.
    """
    parts = path.split("/")
    if path.startswith("/") or not {"", ".", ".."}.isdisjoint(parts) or "\0" in path:
        raise SvcgenError(f"The template wants to write {path!r}, outside of the service.")
    if any(part.lower() == ".git" for part in parts):
        raise SvcgenError(f"The template wants to write {path!r}, into git's own folder.")


def write_file(folder: Path, path: str, file: File) -> None:
    """Put one file below `folder`, whole or not at all; missing folders are made.

    A file that is there keeps its permissions, but for the right to run it; a link is replaced,
    never followed. Raises SvcgenError when it cannot be written, and when the path would leave
    `folder`: by its name, or through a link in the place of a folder.
    """
    target = _inside(folder, path)
    try:
        _write(target, file)
    except OSError as error:
        with suppress(OSError):
            temporary(target).unlink()
        raise SvcgenError(f"{target} cannot be written: {error.strerror}.") from error


def _write(target: Path, file: File) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = _mode(target)
    if stat.S_ISDIR(mode):
        target.rmdir()  # empty, as its files are removed first; else it stays, and this fails
    aside = temporary(target)
    aside.unlink(missing_ok=True)
    if file.link:
        aside.symlink_to(os.fsdecode(file.content))
    else:
        _write_new(aside, file, mode if stat.S_ISREG(mode) else 0)
    aside.replace(target)


def temporary(path: Path) -> Path:
    """Return where a file is written before it gets its name: a run that was killed leaves it."""
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".svcgen-new-{digest}")


def _write_new(path: Path, file: File, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o777 if file.executable else 0o666), "wb") as stream:
        stream.write(file.content)
        if mode:
            os.fchmod(stream.fileno(), _with_right_to_run(stat.S_IMODE(mode), file.executable))


def _with_right_to_run(mode: int, executable: bool) -> int:
    """Let those run it who may read it, or nobody, and keep all other permissions."""
    if executable == bool(mode & stat.S_IXUSR):
        return mode
    return mode | (mode & 0o444) >> 2 if executable else mode & ~0o111


def remove_file(folder: Path, path: str) -> None:
    """Remove one file below `folder`, where it is, and the folders that this leaves empty.

    Raises SvcgenError as `write_file` does.
    """
    target = _inside(folder, path)
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise SvcgenError(f"{target} cannot be removed: {error.strerror}.") from error
    with suppress(OSError):  # the first that is not empty, or is not there
        for parent in reversed(parents(path)):
            (folder / parent).rmdir()


def _inside(folder: Path, path: str) -> Path:
    check_path(path)
    for parent in parents(path):
        mode = _mode(folder / parent)
        if mode and not stat.S_ISDIR(mode):
            raise SvcgenError(
                f"{folder / path} cannot be written: {PurePosixPath(parent)} is no folder.",
                "A link in the place of a folder is not followed: it may lead out of the service.",
            )
    return folder / path
