"""The commands about a service's membership in the workspace: adopt, rename and remove."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from shlex import join, quote
from typing import TYPE_CHECKING, Annotated

import typer

from svcgen.cli import output_updates
from svcgen.cli.options import (
    FOUND_SOMETHING,
    CallsAnswer,
    Force,
    Json,
    Name,
    Trust,
    allows,
    current_workspace,
    terminal,
)
from svcgen.cli.output import emit, report_progress
from svcgen.errors import counted, one_line

if TYPE_CHECKING:
    from svcgen.commands.adopt import AdoptResult, Wishes
    from svcgen.commands.remove import RemoveResult
    from svcgen.commands.rename import RenameResult


def adopt(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder with a service and its Dockerfile.")
    ],
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Its name; default: the folder's.")
    ] = "",
    port: Annotated[
        int,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            help="Port in its container; default: that of EXPOSE in the Dockerfile, else 8080.",
            show_default=False,
        ),
    ] = 0,
    route: Annotated[
        str, typer.Option(metavar="PATH", help="Its path at the gateway; default: /v1/NAME.")
    ] = "",
    health: Annotated[
        str, typer.Option(metavar="PATH", help="Path that answers 200 when it is ready.")
    ] = "/readyz",
    calls: CallsAnswer = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check it against the contract afterwards.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask no questions; use the defaults.")
    ] = False,
    json: Json = False,
) -> None:
    """Make an existing service a member of the workspace, without a template.

    Files that exist are never changed.
    """
    from svcgen.cli.documents import membership as documents
    from svcgen.commands.adopt import Wishes, suggest
    from svcgen.commands.adopt import adopt as command

    if verify and json:
        raise typer.BadParameter("--verify and --json exclude each other: use svcgen verify.")
    wishes = suggest(folder, Wishes(name, port, route, health, tuple(calls or ())))
    if terminal() and not (yes or json):
        wishes = _asked(wishes, Wishes(name, port, route, "", tuple(calls or ())), folder)
    adopted = command(folder, wishes)
    emit(documents.adopt_document(adopted), adoption(adopted), adopt_steps(adopted), json=json)
    if verify:
        _verify(adopted)


def _asked(suggested: Wishes, given: Wishes, folder: Path) -> Wishes:
    """Ask for what was not given, with the suggestions as defaults."""
    from svcgen.commands.adopt import Wishes, suggest

    name = given.name or typer.prompt("Name", default=suggested.name, err=True)
    health = suggested.health
    suggested = suggest(folder, Wishes(name, given.port, given.route, health, given.calls))
    port = given.port or typer.prompt("Port", default=suggested.port, type=int, err=True)
    route = given.route or typer.prompt("Path at the gateway", default=suggested.route, err=True)
    return Wishes(name, port, route, health, suggested.calls)


def _verify(adopted: AdoptResult) -> None:
    """Check the folder, or its image, which is built first."""
    from svcgen.cli.verify import verify
    from svcgen.run.docker.docker import docker

    if not adopted.runs_locally:
        report_progress(adopted.name, "building")
        docker("build", "--quiet", "--tag", adopted.target, str(adopted.folder))
    verify(adopted.target, adopted.folder)


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


def adoption(adopted: AdoptResult) -> str:
    """Show the files that were written, and those that existed."""
    folder = one_line(str(adopted.folder))
    lines = [f"Adopted {adopted.name}: {folder}"]
    lines += [f"  wrote {one_line(path)}" for path in adopted.written]
    lines += [f"  kept {one_line(path)}" for path in adopted.kept]
    return "\n".join([*lines, *changed_files(adopted.changed)])


def adopt_steps(adopted: AdoptResult) -> str:
    """List what does not fit together, and the next commands."""
    lines = [f"  {one_line(fault)}" for fault in adopted.faults]
    if lines:
        lines.insert(0, "Does not fit together yet:")
    if not adopted.runs_locally:
        lines.append("The local engine needs a Makefile with the goals `run` and `migrate`.")
        lines.append(f"Next: docker build --tag {adopted.target} {quote(str(adopted.folder))}")
    lines.append(f"Check the contract: {join(adopted.verify)}")
    return "\n".join([*lines, "Then: svcgen up"])


def removal(removed: RemoveResult) -> str:
    """Report what was stopped, deleted and changed."""
    lines = [f"Removed {removed.name}: deleted {one_line(str(removed.folder))}"]
    if removed.stopped:
        lines.append(f"  stopped {counted(len(removed.stopped), 'replica')}")
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
