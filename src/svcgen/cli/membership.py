"""The commands about a service's membership in the workspace: rename and remove."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from svcgen.cli import output_updates
from svcgen.cli.options import FOUND_SOMETHING, Force, Json, Name, Trust, allows, current_workspace
from svcgen.cli.output import emit, report_progress
from svcgen.errors import counted, one_line

if TYPE_CHECKING:
    from svcgen.commands.remove import RemoveResult
    from svcgen.commands.rename import RenameResult


def rename(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    force: Force = False,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Rename a service, in its files, its callers and the workspace."""
    from svcgen.cli.documents import membership as documents
    from svcgen.commands.rename import rename as command

    done = command(
        Path.cwd(),
        name,
        new,
        force=force,
        allows=allows(trust, asked=not json),
        report=report_progress,
    )
    emit(documents.rename_document(done), renamed(done), next_steps(done), json=json)
    if any(update.state == "conflicts" for update in done.updates):
        raise typer.Exit(FOUND_SOMETHING)


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


def renamed(done: RenameResult) -> str:
    """Show each merge, and the other files that were changed."""
    lines = [output_updates.outcomes(done.updates), *changed_files(done.changed)]
    if done.finished:
        lines.append(f"Renamed {done.old} to {done.new}: {one_line(str(done.folder))}")
    return "\n".join(filter(None, lines))


def next_steps(done: RenameResult) -> str:
    """List conflicts, the files that still have the old name, and what to do next."""
    lines = [output_updates.needs(done.updates).rstrip("\n")]
    if not done.finished:
        lines.append(f"Then continue: svcgen rename {done.old} {done.new}")
    if done.mentions:
        lines.append(f"Still with the name {done.old}:")
    lines += [f"  {one_line(str(each.path))}:{each.line}" for each in done.mentions]
    if done.steps:
        lines.append("Next:")
    lines += [f"  {step}" for step in done.steps]
    return "\n".join(filter(None, lines))


def changed_files(paths: Iterable[Path]) -> list[str]:
    """Return a line for each file of the workspace that was changed."""
    return [f"  changed {one_line(str(path))}" for path in paths]
