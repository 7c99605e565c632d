"""The commands that create and list services: new, list, questions and demo."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from svcgen.cli import output, output_updates
from svcgen.cli.answers import read_given
from svcgen.cli.completion import complete_from
from svcgen.cli.options import (
    CallsAnswer,
    Data,
    DatabaseAnswer,
    DataFile,
    Engine,
    Json,
    Port,
    Ref,
    TemplateSource,
    Trust,
    allows,
    current_workspace,
    name_marked_files,
    terminal,
)
from svcgen.cli.output import emit, report_progress


def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the service, in URLs and in DNS.")
    ],
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Folder to create; default: ./NAME.")
    ] = None,
    stack: Annotated[
        str | None,
        typer.Option(
            metavar="STACK",
            help="python, go, java or typescript; default: python.",
            autocompletion=complete_from("python", "go", "java", "typescript"),
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="http, or worker for one without routes; default: http.",
            autocompletion=complete_from("http", "worker"),
        ),
    ] = None,
    database: DatabaseAnswer = None,
    example: Annotated[
        str | None,
        typer.Option(
            metavar="EXAMPLE",
            help="Example resource or task: items or none; default: items.",
            autocompletion=complete_from("items", "none"),
        ),
    ] = None,
    calls: CallsAnswer = None,
    data: Data = None,
    data_file: DataFile = None,
    template: TemplateSource = "",
    ref: Ref = "",
    trust: Trust = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask no questions; use the defaults.")
    ] = False,
    json: Json = False,
) -> None:
    """Create a service."""
    from svcgen.cli.documents import services as documents
    from svcgen.commands.new import Template, new_service

    options = {
        "stack": stack,
        "kind": kind,
        "database": database,
        "example": example,
        "calls": calls,
    }
    answers = read_given(data, data_file, options, name)
    ask = not (yes or json) and terminal()
    chosen = Template(template, ref, allows(trust, asked=ask))
    made = new_service(folder or Path(name), answers, chosen, ask=ask)
    notes = "\n".join(made.unknown)
    emit(documents.new_document(made), output.new_service(made), notes, json=json)


def list_(
    graph: Annotated[
        bool, typer.Option("--graph", help="Draw which services call each other, in Mermaid.")
    ] = False,
    outdated: Annotated[
        bool,
        typer.Option("--outdated", help="List services behind their template, and what is new."),
    ] = False,
    json: Json = False,
) -> None:
    """List the services in this directory and below."""
    from svcgen.cli.documents import services as documents
    from svcgen.commands import list as command
    from svcgen.workspace import survey

    if graph and outdated:
        raise typer.BadParameter("--graph and --outdated exclude each other.")
    if outdated:
        workspace, unreadable = survey(Path.cwd())
        name_marked_files(workspace)
        compared = command.outdated(workspace, unreadable)
        behind = any(not service.error for service in compared.services)
        text, problems = output_updates.outdated(compared), output_updates.errors(compared.services)
        emit(documents.outdated_document(compared), text, problems, json=json)
        output_updates.exit_with(found=behind, results=compared.services)
    elif graph:
        calls = command.call_graph(current_workspace())
        emit(documents.graph_document(calls), output.call_graph(calls), json=json)
    else:
        found = command.list_services(current_workspace())
        hint = "" if found.services else "No services found. Create one: svcgen new orders"
        emit(documents.list_document(found), output.services(found), hint, json=json)


def questions(template: TemplateSource = "", ref: Ref = "", json: Json = False) -> None:
    """List the questions of a template, with their choices and defaults."""
    from svcgen.cli.documents import services as documents
    from svcgen.commands.questions import list_questions

    found = list_questions(template, ref)
    emit(documents.questions_document(found), output.questions(found), json=json)


def demo(engine: Engine = None, port: Port = None, json: Json = False) -> None:
    """Create services, start them and send requests; stop and remove all on Ctrl-C.

    There is one service for each language whose tools are installed.
    """
    import threading

    from svcgen.cli.documents import services as documents
    from svcgen.commands.demo import demonstrate, stays

    with demonstrate(engine, port, report_progress) as shown:
        emit(documents.demo_document(shown), output.demo(shown), json=json)
        if stays() and not json:
            with contextlib.suppress(KeyboardInterrupt):
                typer.echo("\nPress Ctrl-C to stop.", err=True)
                threading.Event().wait()
