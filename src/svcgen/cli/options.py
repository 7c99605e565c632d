"""What the commands share: options, exit codes, the workspace, and questions to the user."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from svcgen.cli.completion import complete_from, complete_services, complete_versions
from svcgen.cli.output import say
from svcgen.errors import one_line

if TYPE_CHECKING:
    from svcgen.update.narrowed import NarrowedChoice
    from svcgen.workspace import Workspace

FOUND_SOMETHING = 3  # the command succeeded, and the user has to act

Trust = Annotated[bool, typer.Option("--trust", help="Allow the template to run its programs.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
Engine = Annotated[
    str | None,
    typer.Option(
        metavar="docker|local",
        help="Where the services run; default: as last time, else docker if it runs, else local.",
        autocompletion=complete_from("docker", "local"),
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        metavar="PORT", min=1, max=65535, help="Gateway's port; default: as last time, else 8000."
    ),
]
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Name of a service.", autocompletion=complete_services),
]
DatabaseAnswer = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="DATABASE",
        help="Database: none or postgres.",
        autocompletion=complete_from("none", "postgres"),
    ),
]
CallsAnswer = Annotated[
    list[str] | None,
    typer.Option(
        "--calls",
        metavar="NAME",
        help="Name of a service that it calls; can be repeated.",
        autocompletion=complete_services,
    ),
]
Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data", "-d", metavar="QUESTION=ANSWER", help="Answer a question; can be repeated."
    ),
]
DataFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Read answers from a YAML file; -d wins.")
]
TemplateSource = Annotated[
    str,
    typer.Option(
        "--template", metavar="SOURCE", help="URL or folder of a template; default: svcgen's own."
    ),
]
Ref = Annotated[
    str,
    typer.Option(
        metavar="VERSION",
        help="Version of the template; default: the newest.",
        autocompletion=complete_versions,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the changes as a diff only.")]
Force = Annotated[
    bool, typer.Option("--force", help="Also overwrite changes that are in no commit.")
]


def names_or(default: str) -> Any:
    """Return the argument NAME..., with the services that a command takes without a name."""
    return typer.Argument(
        metavar="NAME",
        help=f"Names of services; default: {default}.",
        autocompletion=complete_services,
    )


def current_workspace() -> Workspace:
    """Read the workspace of the current directory."""
    from svcgen.workspace import open_workspace

    workspace = open_workspace(Path.cwd())
    name_marked_files(workspace)
    return workspace


def name_marked_files(workspace: Workspace) -> None:
    """Print which files of a workspace have the markers of a conflict: git no longer says it."""
    from svcgen.git import marked_files

    for path in marked_files(service.folder for service in workspace.services):
        shown = path.relative_to(workspace.root) if path.is_relative_to(workspace.root) else path
        say(f"{one_line(str(shown))} has conflict markers of an update: resolve them.", err=True)


def terminal() -> bool:
    """Return whether the user can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def choose_again(narrowed: NarrowedChoice) -> str:
    """Ask for one of the choices that a newer template still offers; several are a list."""
    several = isinstance(narrowed.answer, list)

    def check(text: str) -> str:
        given = [word.strip() for word in text.strip("[] ").split(",")] if several else [text]
        for word in given:
            if word not in narrowed.accepted:
                raise typer.BadParameter(f"'{word}' is not one of the choices.")
        return f"[{', '.join(given)}]" if several else text

    say(
        f"{narrowed.service}: template {narrowed.version} does not accept {narrowed.answer!r} as "
        f"`{narrowed.question}`.",
        err=True,
    )
    how = "Choices, separated by commas" if several else "Choose"
    try:
        answer: str = typer.prompt(
            f"{how} ({', '.join(narrowed.accepted)})", value_proc=check, err=True
        )
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    return answer


def allows(trust: bool, *, asked: bool = False) -> Callable[[str], bool]:
    """Return the function that decides about a template's programs: an option, or the user."""
    return lambda wish: (
        trust or (asked and terminal() and typer.confirm(f"{wish}. Do you trust it?"))
    )
