"""The command line: declares options, prints results, turns errors into messages."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from svcgen.cli import output, output_updates
from svcgen.cli.options import FOUND_SOMETHING, Json, Trust, allows, terminal
from svcgen.cli.system import denied, open_streams
from svcgen.cli.template import templates
from svcgen.errors import SvcgenError

if TYPE_CHECKING:
    from svcgen.workspace import Workspace


class _Commands(TyperGroup):
    """Shows a SvcgenError on stderr and exits with 1; anything else is a bug, with its trace."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SvcgenError as error:
            _complain(error)
            raise typer.Exit(1) from error
        except OSError as error:
            known = denied(error)
            if known is None:
                raise
            _complain(known)
            raise typer.Exit(1) from error


def _complain(error: SvcgenError) -> None:
    typer.secho(f"Error: {error.problem}", fg=typer.colors.RED, err=True)
    if error.advice:
        typer.echo(error.advice, err=True)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Writes small, complete microservices and stitches them behind one gateway.",
)

app.add_typer(templates, name="template")

Engine = Annotated[
    str | None,
    typer.Option(metavar="docker|local", help="Default: Docker where an engine answers."),
]
Port = Annotated[
    int | None, typer.Option(min=1, max=65535, help="The gateway's, on 127.0.0.1; default 8000.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would change, as a diff.")]
Force = Annotated[bool, typer.Option("--force", help="Also where no git could bring edits back.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Services.")]


def main() -> None:
    """Run the command line."""
    open_streams()
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


@app.command("list")
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
    workspace = _here()
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


@app.command()
def compose(
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="This one, and what it calls.")
    ] = None,
    no_deps: Annotated[
        bool, typer.Option("--no-deps", help="Refuse what --only would pull in.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            help="Write nothing; exit with 3 if a file differs or something does not fit."
        ),
    ] = False,
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh", help="Give callers the newest OpenAPI documents of their callees."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Check that all services fit together; write compose.yaml and gateway/."""
    from svcgen.commands.compose import check as inspect
    from svcgen.commands.compose import compose as stitch

    if check and refresh:
        raise typer.BadParameter("--check writes nothing, --refresh writes: take one of them.")
    found = (_here(), only or [])
    deps = not no_deps
    composed = inspect(*found, deps=deps) if check else stitch(*found, deps=deps, refresh=refresh)
    if json:
        typer.echo(output.document(composed))
    else:
        typer.echo(output.checked(composed) if check else output.composed(composed))
        typer.echo(output.complaints(composed), err=True, nl=False)
    if check and (composed.differences or composed.faults or composed.broken):
        raise typer.Exit(FOUND_SOMETHING)


@app.command()
def routes(
    path: Annotated[str | None, typer.Argument(help="Explain what becomes of this path.")] = None,
    method: Annotated[str, typer.Option("--method", "-X", help="Of the request.")] = "GET",
    json: Json = False,
) -> None:
    """Show the gateway's routes; with a path: which one wins, and what happens then."""
    from svcgen.commands.routes import explain_route, list_routes

    if path is None:
        table = list_routes(_here())
        typer.echo(output.document(table) if json else output.routes(table))
        return
    explanation = explain_route(_here(), path, method)
    typer.echo(output.document(explanation) if json else output.explanation(explanation))


@app.command()
def up(
    names: Names = None,
    engine: Engine = None,
    scale: Annotated[
        list[str] | None, typer.Option(metavar="NAME=N", help="Replicas; repeatable.")
    ] = None,
    port: Port = None,
    attach: Annotated[
        bool, typer.Option("--attach", help="Follow the logs; Ctrl-C is `down`.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Sync or rebuild on every save (Docker).")
    ] = False,
    json: Json = False,
) -> None:
    """Start the fleet behind the gateway, or replace the named services in a running one."""
    from svcgen.commands.up import attach as follow
    from svcgen.commands.up import read_scale
    from svcgen.commands.up import up as start
    from svcgen.commands.up import watch as sync

    workspace, counts = _here(), read_scale(scale or [])
    fleet = start(workspace, names or [], engine=engine, scale=counts, port=port, report=_report)
    if json:
        typer.echo(output.document(fleet))
    else:
        typer.echo(f"\n{fleet.url} ({fleet.engine}: {fleet.why})\n")
        typer.echo(output.routes(fleet.routes))
    if watch:
        sync(workspace, _report)
    elif attach:
        follow(workspace, lambda line: typer.echo(output.log_line(line)), _report)


@app.command()
def down(
    volumes: Annotated[
        bool, typer.Option("--volumes", help="Forget the databases' data too.")
    ] = False,
    json: Json = False,
) -> None:
    """End the fleet; the databases' data stay."""
    from svcgen.commands.down import down as end

    ended = end(_here(), volumes=volumes, report=_report)
    if json:
        typer.echo(output.document(ended))


@app.command()
def ps(json: Json = False) -> None:
    """Show what runs."""
    from svcgen.commands.ps import ps as look

    running = look(_here())
    if json:
        typer.echo(output.document(running))
    elif running.replicas:
        typer.echo(f"{running.url} ({running.engine})\n\n{output.replicas(running.replicas)}")
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
    from svcgen.commands.logs import logs as read

    lines = read(_here(), names or [], follow=follow and not json, tail=tail)
    if json:
        typer.echo(output.document(list(lines)))
        return
    with contextlib.suppress(KeyboardInterrupt):
        for line in lines:
            typer.echo(output.log_line(line))


@app.command()
def restart(name: Annotated[str, typer.Argument(help="A service.")], json: Json = False) -> None:
    """Put fresh replicas of one service in the place of the running ones."""
    from svcgen.commands.restart import restart as renew

    replicas = renew(_here(), name, report=_report)
    typer.echo(output.document(replicas) if json else output.replicas(replicas))


@app.command()
def update(
    names: Names = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every service from here down.")
    ] = False,
    ref: Annotated[str, typer.Option(help="The template's version; default: newest.")] = "",
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar="QUESTION=ANSWER", help="An answer given anew."),
    ] = None,
    dry_run: DryRun = False,
    branch: Annotated[
        str, typer.Option(metavar="NAME", help="Commit on a new branch of each repository.")
    ] = "",
    commit: Annotated[
        bool, typer.Option("--commit", help="Commit on the branch that is checked out.")
    ] = False,
    test: Annotated[
        bool,
        typer.Option(
            "--test", help="Run each service's `make lint test`; put it back if they fail."
        ),
    ] = False,
    lock: Annotated[
        bool, typer.Option("--lock", help="Run each service's `make lock generate`.")
    ] = False,
    canary: Annotated[
        int, typer.Option(min=0, metavar="N", help="Update N first; go on if all went well.")
    ] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Services at a time; default: one a core.")
    ] = None,
    force: Force = False,
    trust: Trust = False,
    go_on: Annotated[
        bool, typer.Option("--continue", help="The conflicts are resolved: end the update.")
    ] = False,
    abort: Annotated[
        bool, typer.Option("--abort", help="Put back all that an open update changed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    json: Json = False,
) -> None:
    """Bring services to a newer template, and keep every edit."""
    from svcgen.commands.new import read_answers
    from svcgen.update import finish as ending
    from svcgen.update.fleet import update_fleet, with_logs
    from svcgen.update.jobs import jobs as way
    from svcgen.update.model import Options
    from svcgen.update.selection import select

    if sum(map(bool, (go_on, abort, dry_run, branch, commit))) > 1:
        raise typer.BadParameter(
            "--continue, --abort, --dry-run, --branch and --commit exclude each other."
        )
    selection = select(Path.cwd(), names or [], everything=everything, recovering=not abort)
    if go_on or abort:
        ended = ending.give_up(selection) if abort else ending.carry_on(selection)
        _tell(ended, json=json)
        return
    options = Options(
        ref, read_answers(data or [], None), dry_run, force, lock, test, branch, commit
    )
    begun, ended = way(selection, options, allows(trust, asked=not (yes or json)))
    if selection.everything and not (everything or dry_run):
        _confirm(begun, ended, asked=not (yes or json))
    if test or lock:
        begun = with_logs(selection, begun)
    with output_updates.updates(begun, ended, _report, shown=not json) as finished:
        ended += update_fleet(begun, workers=jobs, canary=canary, finished=finished)
    _tell(ended, json=json, dry_run=dry_run)


def _confirm(begun: list[Any], ended: list[Any], *, asked: bool) -> None:
    """Show what all services would be brought to, and let a person say whether they shall."""
    if not begun:
        return
    if asked and terminal():
        typer.echo(output_updates.plan(begun, ended))
        typer.confirm(f"Update {len(begun)} services?", abort=True)
    elif asked:
        raise SvcgenError(
            f"{len(begun)} services would be updated, and nobody said so.",
            "Name them, or say it: svcgen update --all",
        )


def _bytes(told: str) -> bytes:
    """Write what holds lines of files: they are as they are, also where they are no UTF-8."""
    return told.encode(errors="surrogateescape")


def _tell(outcomes: list[Any], *, json: bool, dry_run: bool = False) -> None:
    """Print what became of each service, and end with the exit code that says it."""
    outcomes = sorted(outcomes, key=lambda outcome: outcome.service)
    if json:
        typer.echo(output.document(outcomes))
    else:
        told = output_updates.diffs(outcomes) if dry_run else output_updates.outcomes(outcomes)
        typer.echo(_bytes(told), nl=not dry_run)
        typer.echo(output_updates.needs(outcomes, dry_run=dry_run), err=True, nl=False)
    states = {outcome.state for outcome in outcomes}
    if "failed" in states:
        raise typer.Exit(1)
    if states & {"conflicts", "put-back", "not-begun"}:
        raise typer.Exit(FOUND_SOMETHING)


@app.command()
def drift(
    names: Names = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show how each file differs.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Restore them as they were rendered.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also what is in no commit.")] = False,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Find managed files that are not as their template version rendered them."""
    from svcgen.commands.drift import How
    from svcgen.commands.drift import drift as look
    from svcgen.update.selection import select

    selection = select(Path.cwd(), names or [], everything=False, reading=not fix)
    looked = look(
        selection, How(diff=diff, fix=fix, force=force, allows=allows(trust, asked=not json))
    )
    typer.echo(output.document(looked) if json else _bytes(output_updates.drift(looked)))
    _end(looked, found=any(one.left for one in looked), json=json)


@app.command()
def reconfigure(
    name: Annotated[str, typer.Argument(help="A service.")],
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar="QUESTION=ANSWER", help="An answer; repeatable."),
    ] = None,
    data_file: Annotated[Path | None, typer.Option(help="A YAML file of answers.")] = None,
    dry_run: DryRun = False,
    force: Force = False,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Give a service other answers, at the template version that it has."""
    from svcgen.commands.new import read_answers
    from svcgen.commands.reconfigure import reconfigure as answer
    from svcgen.update.model import Options
    from svcgen.update.selection import select

    answers = read_answers(data or [], data_file)
    if not answers:
        raise typer.BadParameter("Give an answer, for example -d database=postgres.")
    selection = select(Path.cwd(), [name], everything=False)
    options = Options(data=answers, dry_run=dry_run, force=force)
    outcome = answer(selection, options, allows(trust, asked=not json))
    _tell([outcome], json=json, dry_run=dry_run)
    if not (json or dry_run):
        typer.echo(output_updates.next_steps(outcome), err=True, nl=False)


def _list_outdated(*, json: bool) -> None:
    from svcgen.commands.list import outdated
    from svcgen.workspace import survey

    behind = outdated(*survey(Path.cwd()))
    typer.echo(output.document(behind) if json else output_updates.outdated(behind))
    _end(behind, found=any(not one.error for one in behind), json=json)


def _end(results: Sequence[Any], *, found: bool, json: bool) -> None:
    """Say what could not be looked at; exit with 3 when something was found, else as that says."""
    if not json:
        typer.echo(output_updates.errors(results), err=True, nl=False)
    if found:
        raise typer.Exit(FOUND_SOMETHING)
    if any(one.error for one in results):
        raise typer.Exit(1)


@app.command()
def demo(engine: Engine = None, port: Port = None, json: Json = False) -> None:
    """Write services in each language that is here, start and call them; Ctrl-C ends all."""
    import threading

    from svcgen.commands.demo import demonstrate, stays

    with demonstrate(engine, port, _report) as shown:
        typer.echo(output.document(shown) if json else output.demo(shown))
        if stays() and not json:
            with contextlib.suppress(KeyboardInterrupt):
                typer.echo("\nCtrl-C ends it.", err=True)
                threading.Event().wait()
