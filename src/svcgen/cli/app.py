"""The Typer application: its commands, its version, and how an error is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer._click.exceptions import UsageError

from svcgen.cli import (
    completion,
    development,
    fleet,
    machine,
    membership,
    services,
    updates,
    verify,
)
from svcgen.cli.help_format import Command, Group
from svcgen.cli.system import denied, open_streams
from svcgen.cli.template import templates
from svcgen.errors import SvcgenError, printable


class _Program(Group):
    """Shows a SvcgenError on stderr and exits with 1; any other error is a bug, with its trace."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _errors_shown():
            return super().parse_args(ctx, completion.with_shell(args))

    def invoke(self, ctx: Any) -> Any:
        with _errors_shown():
            return super().invoke(ctx)


@contextmanager
def _errors_shown() -> Iterator[None]:
    try:
        yield
    except SvcgenError as error:
        _show(error)
        raise typer.Exit(1) from error
    except UsageError as error:
        error.message = printable(error.message)
        raise
    except OSError as error:
        denial = denied(error)
        if denial is None:
            raise
        _show(denial)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo("Aborted", err=True)
        raise


def _show(error: SvcgenError) -> None:
    typer.secho(printable(f"Error: {error.problem}"), fg=typer.colors.RED, err=True)
    if error.advice:
        typer.echo(printable(error.advice), err=True)


app = typer.Typer(
    cls=_Program,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Create small, complete microservices and run them behind one gateway.",
)

PANELS: dict[str, dict[str, Callable[..., None]]] = {
    "Create": {
        "new": services.new,
        "adopt": membership.adopt,
        "questions": services.questions,
        "demo": services.demo,
    },
    "Run": {
        "compose": fleet.compose,
        "up": fleet.up,
        "down": fleet.down,
        "ps": fleet.ps,
        "logs": fleet.logs,
        "restart": fleet.restart,
        "env": development.env,
        "run": development.run,
        "token": development.token,
    },
    "Check": {
        "list": services.list_,
        "routes": fleet.routes,
        "drift": updates.drift,
        "verify": verify.verify,
        "doctor": machine.doctor,
    },
    "Keep current": {
        "update": updates.update,
        "reconfigure": updates.reconfigure,
        "rename": membership.rename,
        "remove": membership.remove,
    },
}
for panel, commands in PANELS.items():
    for name, command in commands.items():
        app.command(name, cls=Command, rich_help_panel=panel)(command)
app.add_typer(templates, name="template", rich_help_panel="Template")


def main() -> None:
    """Run the command line."""
    open_streams()
    completion.load_completion()
    app(prog_name=completion.PROGRAM)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"svcgen {version('svcgen')}")
        raise typer.Exit


@app.callback()
def svcgen(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    install: Annotated[
        str | None,
        typer.Option(
            "--install-completion",
            metavar="[SHELL]",
            callback=completion.install_completion,
            is_eager=True,
            help="Install completion for bash, zsh or fish; default: the current shell.",
        ),
    ] = None,
    show: Annotated[
        str | None,
        typer.Option(
            "--show-completion",
            metavar="[SHELL]",
            callback=completion.show_completion,
            is_eager=True,
            help="Print the completion script; default: for the current shell.",
        ),
    ] = None,
) -> None:
    """Declare the options that come before a command."""
