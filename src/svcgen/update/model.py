"""What an update is given and what it returns: options, one job a service, its outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.service import Service
from svcgen.templates.base import Version
from svcgen.update.journal import Conflict

Finished = Callable[["Outcome"], None]


@dataclass(frozen=True)
class Options:
    """How an update goes: to which version, with which checks, and where its result is kept."""

    ref: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    force: bool = False
    lock: bool = False
    test: bool = False
    branch: str = ""
    commit: bool = False
    trusted: bool = False  # the template's own programs may run; `jobs` finds out

    @property
    def commits(self) -> bool:
        """Whether the result ends in a commit."""
        return bool(self.branch or self.commit) and not self.dry_run


@dataclass(frozen=True)
class Outcome:
    """What became of one service.

    `state` is one of: updated, current, conflicts (markers are in its files), put-back (its tests
    failed, all is as it was), failed (refused or broken off, all is as it was), not-begun, aborted.
    """

    service: str
    folder: Path
    old: str
    new: str
    state: str
    files: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    kept_deleted: tuple[str, ...] = ()
    lock_needed: bool = False
    problem: str = ""
    advice: str = ""
    diff: str = ""


@dataclass(frozen=True)
class Job:
    """One service that is to be updated; a worker process is given it."""

    service: Service
    old: Version
    new: Version
    options: Options
    message: str = ""  # of the commit; empty when nothing is to be committed
    place: str = ""  # of the service below where the command was typed, as paths of a patch begin
    log: Path | None = None  # where `make` writes what it says

    def outcome(self, state: str, **facts: Any) -> Outcome:
        """Say what became of this service."""
        service = self.service
        return Outcome(service.name, service.folder, self.old.name, self.new.name, state, **facts)


def failed(name: str, folder: Path, error: SvcgenError, old: str = "") -> Outcome:
    """Say why one service was left as it was."""
    return Outcome(name, folder, old, "", "failed", problem=error.problem, advice=error.advice)
