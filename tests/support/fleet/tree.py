"""The files of a service as values: read, written, and compared."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class File:
    """A file's bytes and what else git remembers of it; a link's bytes are its target."""

    content: bytes
    executable: bool = False
    link: bool = False


Tree = dict[str, File]


def read(folder: Path) -> Tree:
    """Read all that a folder holds, its repository aside, by POSIX path."""
    return {path.relative_to(folder).as_posix(): _file(path) for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from () if path.name == ".git" else _files(path)
        else:
            yield path


def _file(path: Path) -> File:
    if path.is_symlink():
        return File(os.fsencode(path.readlink()), link=True)
    return File(path.read_bytes(), bool(path.stat().st_mode & 0o100))


def write(folder: Path, tree: Mapping[str, File]) -> Path:
    """Write files into a folder, which is made."""
    for name, file in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.link:
            path.symlink_to(os.fsdecode(file.content))
        else:
            path.write_bytes(file.content)
            path.chmod(0o755 if file.executable else 0o644)
    return folder


def named(tree: Mapping[str, File], name: str, other: str) -> Tree:
    """Return the same files for a service whose name is as long and sorts the same."""
    names = [(spelled(name).encode(), spelled(other).encode()) for spelled in (str, str.upper)]

    def renamed(file: File) -> File:
        content = file.content
        for one, another in names:
            content = content.replace(one, another)
        return replace(file, content=content)

    return {path.replace(name, other): renamed(file) for path, file in tree.items()}


def is_text(file: File) -> bool:
    """Tell whether a file has lines: a link has none, nor has what holds a NUL."""
    return not file.link and b"\0" not in file.content


def with_lf(tree: Mapping[str, File]) -> Tree:
    """Return the files as git stores a checkout with CRLF."""
    return {path: _plain(file) if is_text(file) else file for path, file in tree.items()}


def _plain(file: File) -> File:
    return replace(file, content=file.content.replace(b"\r\n", b"\n"))


def ended(file: File) -> File:
    """Return a text with a newline at its end."""
    if not is_text(file) or not file.content or file.content.endswith(b"\n"):
        return file
    return replace(file, content=file.content + b"\n")


def lines_of(file: File | None) -> list[str]:
    """Return a file's lines, whatever ends them; none of what is no text."""
    if file is None or not is_text(file):
        return []
    return file.content.decode(errors="surrogateescape").replace("\r\n", "\n").split("\n")
