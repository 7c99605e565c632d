"""The commands that create and list services: new, list and demo."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from svcgen.cli import output, output_updates
from svcgen.cli.options import (
    Engine,
    Json,
    Port,
    Trust,
    allows,
    current_workspace,
    report_errors,
    report_progress,
    terminal,
)


def new(
    name: Annotated[str, typer.Argument(help="The service's name, as in URLs and DNS.")],
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Where to write it; default: ./NAME.")
    ] = None,
    stack: Annotated[str, typer.Option(help="python, go, java or typescript.")] = "python",
    database: Annotated[str | None, typer.Option(help="none or postgres.")] = None,
    calls: Annotated[list[str] | None, typer.Option(help="A service it calls; repeatable.")] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar="QUESTION=ANSWER", help="Any answer; repeatable."),
    ] = None,
    data_file: Annotated[Path | None, typer.Option(help="A YAML file of answers.")] = None,
    template: Annotated[str, typer.Option(help="Another template: a git URL or a folder.")] = "",
    ref: Annotated[str, typer.Option(help="The template's version; default: newest.")] = "",
    trust: Trust = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take defaults.")] = False,
    json: Json = False,
) -> None:
    """Write one new service."""
    from svcgen.commands.new import Template, new_service, read_answers

    answers = read_answers(data or [], data_file)
    given = {"name": name, "stack": stack, "database": database, "calls": calls}
    answers |= {question: answer for question, answer in given.items() if answer}
    ask = not (yes or json) and terminal()
    chosen = Template(template, ref, allows(trust, asked=ask))
    made = new_service(folder or Path(name), answers, chosen, ask=ask)
    if json:
        typer.echo(output.document(made))
        return
    typer.echo(output.tree(made.folder.name, made.files))
    typer.echo(f"\n{len(made.files)} files. Next: svcgen up")


def list_(
    graph: Annotated[
        bool, typer.Option("--graph", help="Draw who calls whom, as Mermaid.")
    ] = False,
    outdated: Annotated[
        bool, typer.Option("--outdated", help="Only those behind their template, and what is new.")
    ] = False,
    json: Json = False,
) -> None:
    """Show the services found from here down."""
    from svcgen.commands.list import call_graph, services

    if outdated:
        _list_outdated(json=json)
        return
    workspace = current_workspace()
    if graph:
        typer.echo(call_graph(workspace))
        return
    found = services(workspace)
    if json:
        typer.echo(output.document(found))
    elif found:
        typer.echo(output.table(found))
    else:
        typer.echo("No services here. Make one: svcgen new orders", err=True)


def _list_outdated(*, json: bool) -> None:
    from svcgen.commands.list import outdated
    from svcgen.workspace import survey

    behind = outdated(*survey(Path.cwd()))
    typer.echo(output.document(behind) if json else output_updates.outdated(behind))
    report_errors(behind, found=any(not one.error for one in behind), json=json)


def demo(engine: Engine = None, port: Port = None, json: Json = False) -> None:
    """Write services in each language that is here, start and call them; Ctrl-C ends all."""
    import threading

    from svcgen.commands.demo import demonstrate, stays

    with demonstrate(engine, port, report_progress) as shown:
        typer.echo(output.document(shown) if json else output.demo(shown))
        if stays() and not json:
            with contextlib.suppress(KeyboardInterrupt):
                typer.echo("\nCtrl-C ends it.", err=True)
                threading.Event().wait()
