"""The command line: declares options, prints results, turns errors into messages."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from svcgen.errors import SvcgenError

if TYPE_CHECKING:
    from svcgen.workspace import Workspace

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

Engine = Annotated[
    str | None,
    typer.Option(metavar="docker|local", help="Default: Docker where an engine answers."),
]
Port = Annotated[
    int | None, typer.Option(min=1, max=65535, help="The gateway's, on 127.0.0.1; default 8000.")
]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Services.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else.")]


def main() -> None:
    """Run the command line."""
    app()


def _here() -> Workspace:
    from svcgen.workspace import open_workspace

    return open_workspace(Path.cwd())


def _report(service: str, what: str) -> None:
    """Say on stderr what happens, so that stdout holds the result alone."""
    typer.echo(f"{service:<15} {what}", err=True)


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
    stack: Annotated[str, typer.Option(help="python, go, java or typescript.")] = "python",
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

    workspace = _here()
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


@app.command()
def compose(
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="This one, and what it calls.")
    ] = None,
    no_deps: Annotated[bool, typer.Option(help="Refuse what --only would pull in.")] = False,
    check: Annotated[
        bool,
        typer.Option(
            help="Write nothing; exit with 3 if a file differs or something does not fit."
        ),
    ] = False,
    refresh: Annotated[
        bool, typer.Option(help="Give callers the newest OpenAPI documents of their callees.")
    ] = False,
    json: Json = False,
) -> None:
    """Check that all services fit together; write compose.yaml and gateway/."""
    from svcgen import show
    from svcgen.commands.compose import check as inspect
    from svcgen.commands.compose import compose as stitch

    if check and refresh:
        raise typer.BadParameter("--check writes nothing, --refresh writes: take one of them.")
    found = (_here(), only or [])
    deps = not no_deps
    composed = inspect(*found, deps=deps) if check else stitch(*found, deps=deps, refresh=refresh)
    if json:
        typer.echo(show.document(composed))
    else:
        typer.echo(show.checked(composed) if check else show.composed(composed))
        typer.echo(show.complaints(composed), err=True, nl=False)
    if check and (composed.differences or composed.faults or composed.broken):
        raise typer.Exit(FOUND_SOMETHING)


@app.command()
def routes(
    path: Annotated[str | None, typer.Argument(help="Explain what becomes of this path.")] = None,
    method: Annotated[str, typer.Option("--method", "-X", help="Of the request.")] = "GET",
    json: Json = False,
) -> None:
    """Show the gateway's routes; with a path: which one wins, and what happens then."""
    from svcgen import show
    from svcgen.commands.routes import explain_route, list_routes

    if path is None:
        table = list_routes(_here())
        typer.echo(show.document(table) if json else show.routes(table))
        return
    explanation = explain_route(_here(), path, method)
    typer.echo(show.document(explanation) if json else show.explanation(explanation))


@app.command()
def up(
    names: Names = None,
    engine: Engine = None,
    scale: Annotated[
        list[str] | None, typer.Option(metavar="NAME=N", help="Replicas; repeatable.")
    ] = None,
    port: Port = None,
    attach: Annotated[bool, typer.Option(help="Follow the logs; Ctrl-C is `down`.")] = False,
    watch: Annotated[bool, typer.Option(help="Sync or rebuild on every save (Docker).")] = False,
    json: Json = False,
) -> None:
    """Start the fleet behind the gateway, or replace the named services in a running one."""
    from svcgen import show
    from svcgen.commands.up import attach as follow
    from svcgen.commands.up import read_scale
    from svcgen.commands.up import up as start
    from svcgen.commands.up import watch as sync

    workspace, counts = _here(), read_scale(scale or [])
    fleet = start(workspace, names or [], engine=engine, scale=counts, port=port, report=_report)
    if json:
        typer.echo(show.document(fleet))
    else:
        typer.echo(f"\n{fleet.url} ({fleet.engine}: {fleet.why})\n")
        typer.echo(show.routes(fleet.routes))
    if watch:
        sync(workspace, _report)
    elif attach:
        follow(workspace, lambda line: typer.echo(show.log_line(line)), _report)


@app.command()
def down(
    volumes: Annotated[bool, typer.Option(help="Forget the databases' data too.")] = False,
    json: Json = False,
) -> None:
    """End the fleet; the databases' data stay."""
    from svcgen import show
    from svcgen.commands.down import down as end

    ended = end(_here(), volumes=volumes, report=_report)
    if json:
        typer.echo(show.document(ended))


@app.command()
def ps(json: Json = False) -> None:
    """Show what runs."""
    from svcgen import show
    from svcgen.commands.ps import ps as look

    running = look(_here())
    if json:
        typer.echo(show.document(running))
    elif running.replicas:
        typer.echo(f"{running.url} ({running.engine})\n\n{show.replicas(running.replicas)}")
    else:
        typer.echo("Nothing runs. Start it: svcgen up", err=True)


@app.command()
def logs(
    names: Names = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
    tail: Annotated[int, typer.Option(min=0, help="Lines of each replica to begin with.")] = 100,
    json: Json = False,
) -> None:
    """Show what the services write."""
    from svcgen import show
    from svcgen.commands.logs import logs as read

    lines = read(_here(), names or [], follow=follow and not json, tail=tail)
    if json:
        typer.echo(show.document(list(lines)))
        return
    with contextlib.suppress(KeyboardInterrupt):
        for line in lines:
            typer.echo(show.log_line(line))


@app.command()
def restart(name: Annotated[str, typer.Argument(help="A service.")], json: Json = False) -> None:
    """Put fresh replicas of one service in the place of the running ones."""
    from svcgen import show
    from svcgen.commands.restart import restart as renew

    replicas = renew(_here(), name, report=_report)
    typer.echo(show.document(replicas) if json else show.replicas(replicas))


@app.command()
def demo(engine: Engine = None, port: Port = None, json: Json = False) -> None:
    """Write services in each language that is here, start and call them; Ctrl-C ends all."""
    import threading

    from svcgen import show
    from svcgen.commands.demo import demonstrate, stays

    with demonstrate(engine, port, _report) as shown:
        typer.echo(show.document(shown) if json else show.demo(shown))
        if stays() and not json:
            with contextlib.suppress(KeyboardInterrupt):
                typer.echo("\nCtrl-C ends it.", err=True)
                threading.Event().wait()
