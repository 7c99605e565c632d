"""Documents of the commands about a service's membership: remove, rename and adopt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from svcgen.cli.documents.fleet import RunningReplica, replica_rows
from svcgen.cli.documents.updates import UpdatedService, updated_services

if TYPE_CHECKING:
    from svcgen.commands.adopt import AdoptResult
    from svcgen.commands.remove import RemoveResult
    from svcgen.commands.rename import RenameResult


@dataclass(frozen=True)
class CallerDocument:
    """A service that calls the removed one."""

    name: Annotated[str, "Name of the caller."]
    advice: Annotated[str, "What to type so that it no longer calls the service."]


@dataclass(frozen=True)
class RemoveDocument:
    """The service that `svcgen remove` removed."""

    name: Annotated[str, "Name of the service."]
    folder: Annotated[str, "Absolute path that it had."]
    stopped: Annotated[tuple[RunningReplica, ...], "What ran and was stopped."]
    changed: Annotated[tuple[str, ...], "Files that no longer name it, absolute."]
    deleted: Annotated[tuple[str, ...], "Databases and volumes that were deleted."]
    kept: Annotated[tuple[str, ...], "Databases and volumes that stay."]
    callers: Annotated[tuple[CallerDocument, ...], "Services that call it."]


def remove_document(result: RemoveResult) -> RemoveDocument:
    """Build the document of `svcgen remove`."""
    return RemoveDocument(
        name=result.name,
        folder=str(result.folder),
        stopped=replica_rows(result.stopped),
        changed=tuple(map(str, result.changed)),
        deleted=result.deleted,
        kept=result.kept,
        callers=tuple(CallerDocument(each.name, each.advice) for each in result.callers),
    )


@dataclass(frozen=True)
class MentionDocument:
    """A file that still has the old name."""

    path: Annotated[str, "Absolute path of the file."]
    line: Annotated[int, "The first line with the name, counted from 1."]


@dataclass(frozen=True)
class RenameDocument:
    """The service that `svcgen rename` renamed, and what was merged for that."""

    old: Annotated[str, "Name that it had."]
    new: Annotated[str, "Name that it has."]
    folder: Annotated[str, "Absolute path of the service."]
    finished: Annotated[
        bool, "False while the service has conflicts: then the same command continues."
    ]
    services: Annotated[tuple[UpdatedService, ...], "The service, then its callers."]
    changed: Annotated[tuple[str, ...], "Other files and folders that were changed, absolute."]
    steps: Annotated[tuple[str, ...], "What to do next, in this order."]
    mentions: Annotated[tuple[MentionDocument, ...], "Files that still have the old name."]


def rename_document(result: RenameResult) -> RenameDocument:
    """Build the document of `svcgen rename`."""
    return RenameDocument(
        old=result.old,
        new=result.new,
        folder=str(result.folder),
        finished=result.finished,
        services=updated_services(result.updates),
        changed=tuple(map(str, result.changed)),
        steps=result.steps,
        mentions=tuple(MentionDocument(str(each.path), each.line) for each in result.mentions),
    )


@dataclass(frozen=True)
class AdoptDocument:
    """The service that `svcgen adopt` made a member of the workspace."""

    name: Annotated[str, "Name of the service."]
    folder: Annotated[str, "Absolute path of the service."]
    written: Annotated[tuple[str, ...], "Files that were written, relative to the folder."]
    kept: Annotated[tuple[str, ...], "Files that existed and were not changed."]
    changed: Annotated[tuple[str, ...], "Files of called services that name it now, absolute."]
    faults: Annotated[tuple[str, ...], "What does not fit together in the workspace."]
    runs_locally: Annotated[bool, "Whether its Makefile has the goals `run` and `migrate`."]
    verify: Annotated[str, "The command that checks the service against the contract."]


def adopt_document(result: AdoptResult) -> AdoptDocument:
    """Build the document of `svcgen adopt`."""
    return AdoptDocument(
        name=result.name,
        folder=str(result.folder),
        written=result.written,
        kept=result.kept,
        changed=tuple(map(str, result.changed)),
        faults=result.faults,
        runs_locally=result.runs_locally,
        verify=" ".join(result.verify),
    )
