"""Documents of the commands about a service's membership: remove, rename and adopt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from svcgen.cli.documents.fleet import RunningReplica, replica_rows

if TYPE_CHECKING:
    from svcgen.commands.remove import RemoveResult


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
