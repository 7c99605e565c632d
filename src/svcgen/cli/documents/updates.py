"""Documents of the commands that keep services current: update, reconfigure and drift."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from svcgen.commands.drift import DriftResult
    from svcgen.update.model import UpdateResult


@dataclass(frozen=True)
class FileConflict:
    """A file that needs a decision."""

    path: Annotated[str, "Path in the service."]
    why: Annotated[str, "Why svcgen could not merge it."]


@dataclass(frozen=True)
class UpdatedService:
    """The result for one service."""

    service: Annotated[str, "Name of the service."]
    folder: Annotated[str, "Absolute path of the service."]
    old: Annotated[str, "Version of the template before."]
    new: Annotated[str, "Version of the template after; empty if it is not known."]
    state: Annotated[
        str,
        "`updated`; `current`: nothing to do; `conflicts`: files need a decision; `reverted`: its "
        "tests failed, so the update was undone; `failed`: nothing was changed; `skipped`: an "
        "earlier service of `--canary` failed; `aborted`: an update was undone; "
        "`left-out`: `--all` does not update it, `problem` says why.",
    ]
    files: Annotated[tuple[str, ...], "Paths that were changed, or with `--dry-run` would be."]
    conflicts: Annotated[tuple[FileConflict, ...], "Files that need a decision."]
    kept_deleted: Annotated[
        tuple[str, ...], "Files that you deleted and the template changed; they stay deleted."
    ]
    lock_needed: Annotated[bool, "Whether `make lock generate` is required."]
    ignored: Annotated[
        tuple[str, ...], "Questions that the service has answers to and `new` does not ask."
    ]
    problem: Annotated[str, "What is wrong; empty without a problem."]
    advice: Annotated[str, "What to do about the problem."]
    diff: Annotated[str, "Only with `--dry-run`: a unified diff of all changes."]


@dataclass(frozen=True)
class UpdateDocument:
    """The result for each service."""

    services: Annotated[tuple[UpdatedService, ...], "In order of their names."]


def update_document(outcomes: Iterable[UpdateResult]) -> UpdateDocument:
    """Build the document of `svcgen update` and `svcgen reconfigure`."""
    return UpdateDocument(updated_services(outcomes))


def updated_services(outcomes: Iterable[UpdateResult]) -> tuple[UpdatedService, ...]:
    """Build the entries of updated services in a document."""
    return tuple(
        UpdatedService(
            service=outcome.service,
            folder=str(outcome.folder),
            old=outcome.old,
            new=outcome.new,
            state=outcome.state,
            files=outcome.files,
            conflicts=tuple(
                FileConflict(conflict.path, conflict.why) for conflict in outcome.conflicts
            ),
            kept_deleted=outcome.kept_deleted,
            lock_needed=outcome.lock_needed,
            ignored=outcome.ignored,
            problem=outcome.problem,
            advice=outcome.advice,
            diff=outcome.diff,
        )
        for outcome in outcomes
    )


@dataclass(frozen=True)
class DriftEntry:
    """A managed file that differs from the template."""

    path: Annotated[str, "Path in the service."]
    state: Annotated[
        str,
        "`changed`: its content differs; `mode`: its execute permission differs; `missing`; "
        "`blocked`: something else has its path.",
    ]
    diff: Annotated[str, "Only with `--diff`: a unified diff."]


@dataclass(frozen=True)
class DriftedService:
    """The files of one service that differ from its template."""

    service: Annotated[str, "Name of the service."]
    template_version: Annotated[str, "Version of the template that it has."]
    folder: Annotated[str, "Absolute path of the service."]
    files: Annotated[tuple[DriftEntry, ...], "Managed files that differ."]
    allowed: Annotated[tuple[str, ...], "Files that differ, which svcgen.yaml allows."]
    fixed: Annotated[tuple[str, ...], "Only with `--fix`: files that were restored."]
    error: Annotated[str, "Why it could not be compared or restored; empty if it was."]


@dataclass(frozen=True)
class DriftDocument:
    """The result for each service, also for those without drift."""

    services: Annotated[tuple[DriftedService, ...], "In order of their names."]


def drift_document(results: Iterable[DriftResult]) -> DriftDocument:
    """Build the document of `svcgen drift`."""
    return DriftDocument(
        tuple(
            DriftedService(
                service=result.service,
                template_version=result.version,
                folder=str(result.folder),
                files=tuple(DriftEntry(file.path, file.state, file.diff) for file in result.files),
                allowed=result.allowed,
                fixed=result.fixed,
                error=result.error,
            )
            for result in results
        )
    )
