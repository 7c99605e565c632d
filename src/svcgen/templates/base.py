"""The interface of a template: a source with versions, each a folder of plain files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Stage = Literal["before", "after"]
"""When a migration runs: before or after the files of the newer version are merged."""


@dataclass(frozen=True)
class Version:
    """One version of a template as plain files; it can be passed to a worker process.

    `source` and `name` are what a service records as `_src_path` and `_commit`; the name is empty
    for a folder without versions. `folder` holds copier.yml, and CHANGELOG.md where there is one.
    `commit` is the full commit of a git repository, "" when it is not known.
    """

    source: str
    name: str
    folder: Path
    commit: str = ""


class Source(Protocol):
    """A template with its versions."""

    @property
    def source(self) -> str:
        """What a service records as `_src_path`."""

    def versions(self) -> tuple[str, ...]:
        """Return the released versions, the oldest first."""

    def obtain(self, ref: str = "") -> Version:
        """Return a version: the newest, a released one, or what a service has recorded.

        Raises SvcgenError when there is no such version.
        """


def expanded(source: str) -> Path:
    """Return a template's folder, with `~` and `~user` expanded where such homes exist."""
    try:
        return Path(source).expanduser()
    except RuntimeError:
        return Path(source)
