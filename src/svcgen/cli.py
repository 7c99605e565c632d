"""The command line: declares options, prints results, turns errors into messages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from svcgen.errors import SvcgenError

FOUND_SOMETHING = 3  # done, and the user is needed


class _Commands(TyperGroup):
    """Shows a SvcgenError on stderr and exits with 1; anything else is a bug, with its trace."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SvcgenError as error:
            typer.secho(f"Error: {error.problem}", fg=typer.colors.RED, err=True)
            if error.advice:
                typer.echo(error.advice, err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Writes small, complete microservices and stitches them behind one gateway.",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else.")]


def main() -> None:
    """Run the command line."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"svcgen {version('svcgen')}")
        raise typer.Exit


@app.callback()
def svcgen(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Declare what stands before a command."""


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The service's name, as in URLs and DNS.")],
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Where to write it; default: ./NAME.")
    ] = None,
    stack: Annotated[str, typer.Option(help="The language and its libraries.")] = "python",
    database: Annotated[str | None, typer.Option(help="none or postgres.")] = None,
    calls: Annotated[list[str] | None, typer.Option(help="A service it calls; repeatable.")] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar="QUESTION=ANSWER", help="Any answer; repeatable."),
    ] = None,
    data_file: Annotated[Path | None, typer.Option(help="A YAML file of answers.")] = None,
    template: Annotated[str, typer.Option(help="Another template: a git URL or a folder.")] = "",
    ref: Annotated[str, typer.Option(help="That template's version; default: newest.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take defaults.")] = False,
    json: Json = False,
) -> None:
    """Write one new service."""
    from svcgen import show
    from svcgen.commands.new import new_service, read_answers

    answers = read_answers(data or [], data_file)
    given = {"name": name, "stack": stack, "database": database, "calls": calls}
    answers |= {question: answer for question, answer in given.items() if answer}
    ask = not (yes or json) and sys.stdin.isatty() and sys.stdout.isatty()
    made = new_service(folder or Path(name), answers, source=template, ref=ref, ask=ask)
    if json:
        typer.echo(show.document(made))
        return
    typer.echo(show.tree(made.folder.name, made.files))
    typer.echo(f"\n{len(made.files)} files. Next: svcgen up")


@app.command("list")
def list_(
    graph: Annotated[bool, typer.Option(help="Draw who calls whom, as Mermaid.")] = False,
    json: Json = False,
) -> None:
    """Show the services found from here down."""
    from svcgen import show
    from svcgen.commands.list import call_graph, services
    from svcgen.workspace import open_workspace

    workspace = open_workspace(Path.cwd())
    if graph:
        typer.echo(call_graph(workspace))
        return
    found = services(workspace)
    if json:
        typer.echo(show.document(found))
    elif found:
        typer.echo(show.table(found))
    else:
        typer.echo("No services here. Make one: svcgen new orders", err=True)
