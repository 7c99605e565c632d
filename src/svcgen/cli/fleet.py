"""The commands about a whole fleet: compose and routes, up, down, ps, logs and restart."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from svcgen.cli import output
from svcgen.cli.options import (
    FOUND_SOMETHING,
    Engine,
    Json,
    Names,
    Port,
    current_workspace,
    report_progress,
)


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
    found = (current_workspace(), only or [])
    deps = not no_deps
    composed = inspect(*found, deps=deps) if check else stitch(*found, deps=deps, refresh=refresh)
    if json:
        typer.echo(output.document(composed))
    else:
        typer.echo(output.checked(composed) if check else output.composed(composed))
        typer.echo(output.complaints(composed), err=True, nl=False)
    if check and (composed.differences or composed.faults or composed.broken):
        raise typer.Exit(FOUND_SOMETHING)


def routes(
    path: Annotated[str | None, typer.Argument(help="Explain what becomes of this path.")] = None,
    method: Annotated[str, typer.Option("--method", "-X", help="Of the request.")] = "GET",
    json: Json = False,
) -> None:
    """Show the gateway's routes; with a path: which one wins, and what happens then."""
    from svcgen.commands.routes import explain_route, list_routes

    if path is None:
        table = list_routes(current_workspace())
        typer.echo(output.document(table) if json else output.routes(table))
        return
    explanation = explain_route(current_workspace(), path, method)
    typer.echo(output.document(explanation) if json else output.explanation(explanation))


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

    workspace, counts = current_workspace(), read_scale(scale or [])
    fleet = start(
        workspace, names or [], engine=engine, scale=counts, port=port, report=report_progress
    )
    if json:
        typer.echo(output.document(fleet))
    else:
        typer.echo(f"\n{fleet.url} ({fleet.engine}: {fleet.why})\n")
        typer.echo(output.routes(fleet.routes))
    typer.echo(output.broken_contracts(fleet.broken), err=True, nl=False)
    if watch:
        sync(workspace, fleet, report_progress)
    elif attach:
        follow(workspace, fleet, lambda line: typer.echo(output.log_line(line)), report_progress)


def down(
    volumes: Annotated[
        bool, typer.Option("--volumes", help="Forget the databases' data too.")
    ] = False,
    json: Json = False,
) -> None:
    """End the fleet; the databases' data stay."""
    from svcgen.commands.down import down as end

    ended = end(current_workspace(), volumes=volumes, report=report_progress)
    if json:
        typer.echo(output.document(ended))


def ps(json: Json = False) -> None:
    """Show what runs."""
    from svcgen.commands.ps import ps as look

    running = look(current_workspace())
    if json:
        typer.echo(output.document(running))
    elif running.replicas:
        typer.echo(f"{running.url} ({running.engine})\n\n{output.replicas(running.replicas)}")
    else:
        typer.echo("Nothing runs. Start it: svcgen up", err=True)


def logs(
    names: Names = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
    tail: Annotated[int, typer.Option(min=0, help="Lines of each replica to begin with.")] = 100,
    json: Json = False,
) -> None:
    """Show what the services write."""
    from svcgen.commands.logs import logs as read

    lines = read(current_workspace(), names or [], follow=follow and not json, tail=tail)
    if json:
        typer.echo(output.document(list(lines)))
        return
    with contextlib.suppress(KeyboardInterrupt):
        for line in lines:
            typer.echo(output.log_line(line))


def restart(name: Annotated[str, typer.Argument(help="A service.")], json: Json = False) -> None:
    """Put fresh replicas of one service in the place of the running ones."""
    from svcgen.commands.restart import restart as renew

    replicas = renew(current_workspace(), name, report=report_progress).replicas
    typer.echo(output.document(replicas) if json else output.replicas(replicas))
