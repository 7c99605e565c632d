"""The commands about a whole fleet: compose and routes, up, down, ps, logs and restart."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from svcgen.cli import output
from svcgen.cli.completion import complete_scale, complete_services
from svcgen.cli.options import (
    FOUND_SOMETHING,
    Engine,
    Json,
    Name,
    Port,
    current_workspace,
    name_marked_files,
    names_or,
)
from svcgen.cli.output import emit, report_progress

if TYPE_CHECKING:
    from svcgen.workspace import Workspace


def compose(
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Include only this service and those it calls; can be repeated.",
            autocompletion=complete_services,
        ),
    ] = None,
    no_deps: Annotated[
        bool, typer.Option("--no-deps", help="Fail if --only needs further services.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing; exit with 3 if a file differs or services do not fit."
        ),
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="With --check: show the difference of each file.")
    ] = False,
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh", help="Copy the OpenAPI documents of called services to their callers."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Check that all services fit together, and write compose.yaml and gateway/."""
    from svcgen.cli.documents import fleet as documents
    from svcgen.commands.compose import check as inspect
    from svcgen.commands.compose import compose as stitch

    if diff and not check:
        raise typer.BadParameter("--diff belongs to --check.")
    if no_deps and not only:
        raise typer.BadParameter("--no-deps belongs to --only.")
    if check and refresh:
        raise typer.BadParameter("--check and --refresh exclude each other: --refresh writes.")
    found = (current_workspace(), only or [])
    deps = not no_deps
    composed = inspect(*found, deps=deps) if check else stitch(*found, deps=deps, refresh=refresh)
    text = output.checked(composed, diff=diff) if check else output.composed(composed)
    faults = output.fleet_faults(composed)
    emit(documents.compose_document(composed), text, faults, json=json, exact=check)
    found_something = (composed.faults, composed.broken, composed.unrouted)
    if check and (composed.differences or any(found_something)):
        raise typer.Exit(FOUND_SOMETHING)


def routes(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="PATH", help="Explain the route of this path; default: list all routes."
        ),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", "-X", metavar="METHOD", help="Method of the request.")
    ] = "GET",
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Show the rate, errors, p50 and p99 of each route until Ctrl-C; "
            "once without a terminal or with --json.",
        ),
    ] = False,
    interval: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="DURATION",
            help="With --live: the interval of all numbers; default: 2s.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the routes at the gateway, or explain which route a request takes."""
    from svcgen.cli.documents import routes as documents
    from svcgen.commands.routes import explain_route, list_routes
    from svcgen.gateway.routes import TOKEN

    if interval and not live:
        raise typer.BadParameter("--for belongs to --live.")
    if live and path is not None:
        raise typer.BadParameter("--live shows all routes: leave out the path.")
    if live:
        from svcgen.cli.live import show_live

        show_live(_workspace_as_it_runs(), interval or "2s", json=json)
    elif path is None:
        listed = list_routes(current_workspace())
        notes = "" if listed.routes else "No service of this workspace has routes."
        emit(documents.routes_document(listed), output.routes(listed.routes), notes, json=json)
    else:
        for_all = path == "*" and method.upper() == "OPTIONS"  # RFC 9110, section 9.3.7
        if not (path.startswith("/") or for_all):
            raise typer.BadParameter(f"'{path}' is not a path: begin it with /, as in /v1/orders.")
        if not TOKEN.fullmatch(method):
            raise typer.BadParameter(f"'{method}' is not a method; for example POST.")
        explained = explain_route(current_workspace(), path, method)
        emit(documents.route_document(explained), output.explanation(explained), json=json)


def up(
    names: Annotated[list[str] | None, names_or("all")] = None,
    engine: Engine = None,
    scale: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=N",
            help="Run N replicas of a service; can be repeated.",
            autocompletion=complete_scale,
        ),
    ] = None,
    port: Port = None,
    attach: Annotated[
        bool, typer.Option("--attach", help="Follow the logs; Ctrl-C stops the fleet.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Update a service when a file in its folder changes.")
    ] = False,
    on_host: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Let a process that you start, for example in an IDE, serve this service.",
            autocompletion=complete_services,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Start all services behind the gateway, or replace the named ones if the fleet runs."""
    from svcgen.cli.documents import fleet as documents
    from svcgen.commands.run import on_host as wait
    from svcgen.commands.up import attach as follow
    from svcgen.commands.up import read_scale
    from svcgen.commands.up import up as start
    from svcgen.commands.up import watch as sync

    if attach + watch + bool(on_host) > 1:
        raise typer.BadParameter("--attach, --watch and --on-host exclude each other.")
    workspace, counts = current_workspace(), read_scale(scale or [])
    if on_host:
        workspace.service(on_host)
    fleet = start(
        workspace,
        names or [],
        engine=engine,
        scale=counts,
        port=port,
        report=report_progress,
    )
    emit(
        documents.up_document(fleet),
        output.fleet(fleet),
        output.absent(fleet.absent)
        + output.broken_contracts(fleet.broken)
        + output.wanted_keys(fleet.wanted_keys),
        json=json,
    )
    if on_host:
        wait(workspace, on_host, report=report_progress)
    elif watch:
        sync(workspace, fleet, report_progress)
    elif attach:
        # With --json, standard output holds the document alone.
        follow(
            workspace,
            fleet,
            lambda line: output.say(output.log_line(line), err=json, exact=True),
            report_progress,
        )


def down(
    volumes: Annotated[
        bool, typer.Option("--volumes", help="Also remove the database volumes and the images.")
    ] = False,
    json: Json = False,
) -> None:
    """Stop the fleet and keep the database volumes."""
    from svcgen.cli.documents import fleet as documents
    from svcgen.commands.down import down as stop

    ended = stop(_workspace_as_it_runs(), volumes=volumes, report=report_progress)
    emit(documents.down_document(ended), "", _note(ended.ended), json=json)


def ps(json: Json = False) -> None:
    """List the replicas of the running services."""
    from svcgen.cli.documents import fleet as documents
    from svcgen.commands.ps import ps as running_replicas

    running = running_replicas(_workspace_as_it_runs())
    notes = [f"{name}: {note}" for name, note in running.notes.items()]
    note = _note(running.replicas) or "\n".join(notes)
    emit(documents.ps_document(running), output.running(running), note, json=json)


def logs(
    names: Annotated[list[str] | None, names_or("all")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Continue with new lines until Ctrl-C.")
    ] = False,
    tail: Annotated[
        int, typer.Option(metavar="N", min=0, help="Begin with the last N lines of each replica.")
    ] = 100,
    json: Json = False,
) -> None:
    """Show the logs of services."""
    from svcgen.cli.documents import fleet as documents
    from svcgen.commands.logs import logs as read

    found = read(_workspace_as_it_runs(), names or [], follow=follow and not json, tail=tail)
    if json:
        emit(documents.logs_document(found), "", json=True)
        return
    if note := _note(found.running):
        output.say(note, err=True)
    with contextlib.suppress(KeyboardInterrupt):
        for line in found.lines:
            output.say(output.log_line(line), exact=True)


def _workspace_as_it_runs() -> Workspace:
    """Read the workspace of the current directory; a faulty svcgen.yaml is a warning only.

    What runs can be shown and stopped without it.
    """
    from svcgen.workspace import open_as_it_runs

    workspace, unread = open_as_it_runs(Path.cwd())
    name_marked_files(workspace)
    if unread:
        output.say(f"Warning: {unread.problem}", err=True)
    return workspace


def _note(running: Collection[object]) -> str:
    """Return the note that nothing runs; empty if something does."""
    return "" if running else "Nothing runs. Start the fleet: svcgen up"


def restart(name: Name, json: Json = False) -> None:
    """Replace the replicas of a service by new ones, without a lost request."""
    from svcgen.cli.documents import fleet as documents
    from svcgen.commands.restart import restart as replace

    result = replace(current_workspace(), name, report=report_progress)
    emit(documents.restart_document(result), output.replicas(result.replicas), json=json)
