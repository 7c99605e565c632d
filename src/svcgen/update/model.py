"""What an update takes and returns: options, one job a service, its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.render.answers import Answers
from svcgen.service import Service
from svcgen.templates.base import Version
from svcgen.update.journal import Conflict
from svcgen.update.moves import Rename

Finished = Callable[["UpdateResult"], None]


@dataclass(frozen=True)
class UpdateOptions:
    """How services are updated: to which version, with which checks, with or without a commit."""

    ref: str = ""
    data: Answers = field(default_factory=Answers)
    dry_run: bool = False
    force: bool = False
    lock: bool = False
    test: bool = False
    branch: str = ""
    commit: bool = False
    trusted: bool = False  # the template's own programs may run; `plan_updates` sets it
    rename: Rename | None = None  # of the service, or of one that it calls

    @property
    def commits(self) -> bool:
        """Whether the update ends in a commit."""
        return bool(self.branch or self.commit) and not self.dry_run


@dataclass(frozen=True)
class UpdateResult:
    """The result for one service.

    `state` is one of: updated, current, conflicts (the files have markers), reverted (its tests
    failed and the update was undone), failed (nothing has changed), skipped, aborted, left-out
    (an update of all services does not work on it).
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
    ignored: tuple[str, ...] = ()
    """Stored answers to questions that the newer version does not ask."""
    unmerged: tuple[str, ...] = ()
    """The conflicts as `git update-index --index-info` reads them."""
    problem: str = ""
    advice: str = ""
    diff: str = ""


@dataclass(frozen=True)
class UpdateJob:
    """The update of one service, as a worker process gets it."""

    service: Service
    old: Version
    new: Version
    options: UpdateOptions
    message: str = ""  # of the commit; empty when nothing is to be committed
    prefix: str = ""  # of the paths in a patch: the service's folder below the current directory
    log: Path | None = None  # where `make` writes its output

    def result(self, state: str, **facts: Any) -> UpdateResult:
        """Return a result for this service."""
        service = self.service
        return UpdateResult(
            service.name, service.folder, self.old.name, self.new.name, state, **facts
        )


def failed(name: str, folder: Path, error: SvcgenError, old: str = "") -> UpdateResult:
    """Return the result for a service that an error left unchanged."""
    return UpdateResult(name, folder, old, "", "failed", problem=error.problem, advice=error.advice)
