"""The commands' common form: help without types such as `<bool>`, and no empty arguments."""

from __future__ import annotations

from typing import Any

import typer
from typer._click.core import Command as BaseCommand  # what Typer's commands and groups share
from typer.core import TyperArgument, TyperCommand, TyperGroup

_LIMIT = 200  # characters of a command's summary in docs/cli.md; Typer cuts it after 45


class _PlainHelp(BaseCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; flags, `--help` included, and arguments show no type."""
        parameters = super().get_params(ctx)
        for parameter in parameters:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
            elif isinstance(parameter, TyperArgument):
                parameter.display_type = lambda ctx: ""  # type: ignore[method-assign] # noqa: ARG005
        return parameters

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; an empty text, as from an unset variable, is wrong usage."""
        given, _rest, _order = self.make_parser(ctx).parse_args(list(args))
        for parameter in self.get_params(ctx) if not ctx.resilient_parsing else ():
            value = given.get(parameter.name)
            if value == "" or (isinstance(value, list | tuple) and "" in value):
                omit = "" if parameter.required else ", or omit it"
                problem = f"it must not be empty. Give a value{omit}."
                raise typer.BadParameter(problem, ctx=ctx, param=parameter)
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words after the command's name; Typer has braces around those required."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def get_short_help_str(self, limit: int = _LIMIT) -> str:
        """Return the first sentence of the help."""
        return super().get_short_help_str(limit)


class Command(_PlainHelp, TyperCommand):
    """A command with plain help."""


class Group(_PlainHelp, TyperGroup):
    """A group of commands with plain help."""
