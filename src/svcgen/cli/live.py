"""The output of `svcgen routes --live`: a table that is refreshed in place, or one document."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from svcgen.cli.output import emit, table

if TYPE_CHECKING:
    from svcgen.commands.live import LiveResult
    from svcgen.gateway.traffic import Traffic
    from svcgen.workspace import Workspace

SHORTEST_MS = 1_000  # Envoy's times of the last second may be missing
LONGEST_MS = 3_600_000
# ECMA-48: to the first cell; erase to the end of the line, and of the page.
HOME, END_OF_LINE, END_OF_PAGE = "\x1b[H", "\x1b[K", "\x1b[J"


def show_live(workspace: Workspace, interval: str, *, json: bool) -> None:
    """Show what passes the routes until Ctrl-C; once without a terminal or with `json`."""
    from svcgen.cli.documents.live import live_document
    from svcgen.commands.live import live_routes

    looks = live_routes(workspace, _seconds(interval))
    if json or not sys.stdout.isatty():
        result = next(looks)
        emit(live_document(result), live_table(result), json=json)
        return
    with contextlib.suppress(KeyboardInterrupt):
        _refresh(looks)


def _seconds(interval: str) -> float:
    from svcgen.units import parse_duration

    try:
        milliseconds = parse_duration(interval)
    except ValueError as error:
        raise typer.BadParameter(f"--for {error}.") from error
    if not SHORTEST_MS <= milliseconds <= LONGEST_MS:
        raise typer.BadParameter("--for must be a time from 1s to 1h.")
    return milliseconds / 1000


def _refresh(looks: Iterator[LiveResult]) -> None:
    typer.echo(f"{HOME}{END_OF_PAGE}Measuring…")
    for result in looks:
        columns, rows = shutil.get_terminal_size()
        lines = live_table(result).splitlines()
        if len(lines) >= rows:
            shown = max(0, rows - 2)
            lines = [
                *lines[:shown],
                f"{len(lines) - shown} more lines: svcgen routes --live --json",
            ]
        text = "".join(f"{line[:columns]}{END_OF_LINE}\n" for line in lines)
        typer.echo(f"{HOME}{text}{END_OF_PAGE}", nl=False)


def live_table(result: LiveResult) -> str:
    """Show one route a line, then the requests that no route takes."""
    seconds = result.seconds
    rows = [
        {
            "service": route.service,
            "route": route.name,
            **_cells(route.traffic, seconds),
            "healthy": f"{route.healthy}/{route.replicas}",
        }
        for route in result.routes
    ]
    others = {"service": "-", "route": "(none)", **_cells(result.others, seconds), "healthy": "-"}
    head = f"{result.url} ({result.engine}), the last {seconds:.1f} s"
    return f"{head}\n\n{table([*rows, others])}"


def _cells(traffic: Traffic, seconds: float) -> dict[str, object]:
    return {
        "req/s": f"{traffic.requests / seconds:.1f}",
        "5xx": traffic.server_errors,
        "4xx": traffic.client_errors,
        "limited": traffic.limited,
        "unauthorized": traffic.unauthorized,
        "p50": _time(traffic.p50_ms),
        "p99": _time(traffic.p99_ms),
    }


def _time(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "-"
    return f"{milliseconds}ms" if milliseconds else "<1ms"
