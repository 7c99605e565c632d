"""The output of replicas: bounded files, their last lines, and new lines."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from svcgen.run.engine import LogLine

LARGEST = 8 * 1024 * 1024
REMAINING = 1024 * 1024
LOOK_SECONDS = 0.2
NAME = re.compile(r"(?P<service>[a-z][a-z0-9-]*)-(?P<number>[0-9]+)\.log")


def last_lines(path: Path, count: int, offset: int = 0) -> list[str]:
    """Return the last lines of a file, at most from `offset` on; [] when it does not exist."""
    written = path.stat().st_size - offset if path.is_file() else 0
    # A file that was cut meanwhile is shorter than the offset: then all of it is newer.
    tail = _tail(path, min(REMAINING, written) if written >= 0 else REMAINING)
    return tail.decode(errors="replace").splitlines()[-count:] if count else []


def bound(path: Path) -> None:
    """Cut a file of more than LARGEST bytes to its end; its writer appends, and continues."""
    if not path.is_file() or path.stat().st_size <= LARGEST:
        return
    tail = _tail(path, REMAINING)
    with path.open("ab") as file:
        file.truncate(0)
        file.write(tail[tail.find(b"\n") + 1 :])


def _tail(path: Path, size: int) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read()


@dataclass
class _Reader:
    """Reads the new lines of one file; starts again when the file was cut."""

    service: str
    number: int
    path: Path
    offset: int = 0
    rest: bytes = field(default=b"")

    def skip(self, keep: int) -> Iterator[LogLine]:
        """Yield the last lines of the file."""
        self.offset = self.path.stat().st_size
        for text in last_lines(self.path, keep):
            yield LogLine(self.service, self.number, text)

    def more(self) -> Iterator[LogLine]:
        """Yield the lines written since; an incomplete line follows when it is complete."""
        if self.path.stat().st_size < self.offset:
            self.offset, self.rest = 0, b""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            *lines, self.rest = (self.rest + file.read()).split(b"\n")
            self.offset = file.tell()
        for line in lines:
            yield LogLine(self.service, self.number, line.decode(errors="replace"))


def read_logs(
    folder: Path, names: Sequence[str], tail: int, follows: Callable[[], bool]
) -> Iterator[LogLine]:
    """Yield the last lines of each replica, then new ones as long as `follows` returns true."""
    readers = _readers(folder, names, {})
    for reader in readers.values():
        yield from reader.skip(tail)
    while follows():
        time.sleep(LOOK_SECONDS)
        readers = _readers(folder, names, readers)
        for reader in readers.values():
            yield from reader.more()


def _readers(folder: Path, names: Sequence[str], known: dict[Path, _Reader]) -> dict[Path, _Reader]:
    readers = {}
    for path in sorted(folder.glob("*.log")):
        match = NAME.fullmatch(path.name)
        if match and (not names or match["service"] in names):
            number = int(match["number"])
            readers[path] = known.get(path) or _Reader(match["service"], number, path)
    return readers
