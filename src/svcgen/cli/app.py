"""The Typer application: its commands, its version, and how an error is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from svcgen.cli import fleet, services, updates
from svcgen.cli.system import denied, open_streams
from svcgen.cli.template import templates
from svcgen.errors import SvcgenError


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

PANELS: dict[str, dict[str, Callable[..., None]]] = {
    "Create": {"new": services.new, "demo": services.demo},
    "Run": {
        "compose": fleet.compose,
        "up": fleet.up,
        "down": fleet.down,
        "ps": fleet.ps,
        "logs": fleet.logs,
        "restart": fleet.restart,
    },
    "Check": {"list": services.list_, "routes": fleet.routes, "drift": updates.drift},
    "Keep current": {"update": updates.update, "reconfigure": updates.reconfigure},
}
for panel, commands in PANELS.items():
    for name, command in commands.items():
        app.command(name, rich_help_panel=panel)(command)
app.add_typer(templates, name="template", rich_help_panel="Template")


def main() -> None:
    """Run the command line."""
    open_streams()
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
