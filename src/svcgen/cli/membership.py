"""The commands about a service's membership in the workspace: remove."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from svcgen.cli.options import Json, Name, current_workspace
from svcgen.cli.output import emit, report_progress
from svcgen.errors import counted, one_line

if TYPE_CHECKING:
    from svcgen.commands.remove import RemoveResult


def remove(
    name: Name,
    volumes: Annotated[
        bool, typer.Option("--volumes", help="Also delete the data of its database.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Also remove a service that others call, or that git cannot restore."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Stop a service, delete its folder, and keep the data of its database."""
    from svcgen.cli.documents import membership as documents
    from svcgen.commands.remove import remove as command

    removed = command(
        current_workspace(), name, force=force, volumes=volumes, report=report_progress
    )
    emit(documents.remove_document(removed), removal(removed), needs(removed), json=json)


def removal(removed: RemoveResult) -> str:
    """Report what was stopped, deleted and changed."""
    lines = [f"Removed {removed.name}: deleted {one_line(str(removed.folder))}"]
    if removed.stopped:
        lines.append(f"  stopped {counted(len(removed.stopped), 'container or process')}")
    lines += [f"  deleted {data}" for data in removed.deleted]
    lines += [f"  kept {data}" for data in removed.kept]
    return "\n".join([*lines, *changed_files(removed.changed)])


def needs(removed: RemoveResult) -> str:
    """List what callers need, and how to delete kept data; empty without any."""
    lines = [
        f"{caller.name} calls {removed.name}, and gets 503 now: {caller.advice}"
        for caller in removed.callers
    ]
    return "\n".join(lines)


def changed_files(paths: Iterable[Path]) -> list[str]:
    """Return a line for each file of the workspace that was changed."""
    return [f"  changed {one_line(str(path))}" for path in paths]
