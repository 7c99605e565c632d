"""`svcgen list --outdated`: the services that are behind their template, and what they miss."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.render.source.changelog import Entry, entries
from svcgen.render.source.sources import Version, open_source
from svcgen.render.source.versions import compare
from svcgen.service import Service
from svcgen.workspace import Unreadable, Workspace

_PLAIN = "It was made from a folder without versions, so nothing can be newer."


@dataclass(frozen=True)
class Outdated:
    """A service that is behind, with the changelog entries between; or why that is not known."""

    name: str
    folder: str
    template: str
    version: str
    newest: str = ""
    entries: tuple[Entry, ...] = ()
    error: str = ""


def outdated(workspace: Workspace, unreadable: Iterable[Unreadable] = ()) -> tuple[Outdated, ...]:
    """Return the services that are behind and those that cannot be compared; nothing is rendered.

    A company's template is fetched once, however many services were made from it.
    """

    @cache
    def newest(source: str) -> Version:
        return open_source(source).obtain()

    found = [_compared(service, workspace.root, newest) for service in workspace.services]
    broken = [
        Outdated(folder.name, _below(folder, workspace.root), "", "", error=error.problem)
        for folder, error in unreadable
    ]
    return (*filter(None, found), *broken)


def _compared(service: Service, root: Path, newest: Callable[[str], Version]) -> Outdated | None:
    about = (service.name, _below(service.folder, root), service.template, service.version)
    try:
        if not service.version:
            return Outdated(*about, error=_PLAIN)
        there = newest(service.template)
        place = compare(service.version, there.name)
        if place > 0:
            open_source(service.template).obtain(service.version)  # says so when it is not there
    except SvcgenError as error:
        return Outdated(*about, error=error.sentence)
    return Outdated(*about, there.name, _missed(there, service.version)) if place < 0 else None


_missed = cache(entries)  # most of a fleet has one version


def _below(folder: Path, root: Path) -> str:
    return Path(os.path.relpath(folder, root)).as_posix()
