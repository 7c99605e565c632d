"""How help is shown: without types such as `<bool>` and `<str>`, and with whole sentences."""

from __future__ import annotations

from typing import Any

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
