"""What the parts of the command line share: options, exit codes, and who may allow what."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from svcgen.cli import output_updates

if TYPE_CHECKING:
    from svcgen.workspace import Workspace

FOUND_SOMETHING = 3  # done, and the user is needed

Trust = Annotated[bool, typer.Option("--trust", help="Let the template run programs of its own.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else.")]

Engine = Annotated[
    str | None,
    typer.Option(metavar="docker|local", help="Default: Docker where an engine answers."),
]
Port = Annotated[
    int | None, typer.Option(min=1, max=65535, help="The gateway's, on 127.0.0.1; default 8000.")
]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Services.")]


def terminal() -> bool:
    """Tell whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def allows(trust: bool, *, asked: bool = False) -> Callable[[str], bool]:
    """Return what says whether a template may do what it wishes: an option, or a person."""
    return lambda wish: (
        trust or (asked and terminal() and typer.confirm(f"{wish}. Do you trust it?"))
    )


def current_workspace() -> Workspace:
    """Read the workspace of the current directory."""
    from svcgen.workspace import open_workspace

    return open_workspace(Path.cwd())


def report_progress(service: str, what: str) -> None:
    """Say on stderr what happens, so that stdout holds the result alone."""
    typer.echo(f"{service:<15} {what}", err=True)


def report_errors(results: Sequence[Any], *, found: bool, json: bool) -> None:
    """Say what could not be looked at; exit with 3 when something was found, else as that says."""
    if not json:
        typer.echo(output_updates.errors(results), err=True, nl=False)
    if found:
        raise typer.Exit(FOUND_SOMETHING)
    if any(one.error for one in results):
        raise typer.Exit(1)
