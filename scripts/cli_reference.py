"""docs/cli.md, the help of all commands: `python scripts/cli_reference.py` prints it."""

from __future__ import annotations

import sys

from typer import Context
from typer.cli import get_docs_for_click
from typer.main import get_command

from svcgen.cli.app import app


def cli_reference() -> str:
    """Return the page, made from the declared commands.

    `typer utils docs` writes the same, but with HTML's escapes for quotes and without `-h`.
    """
    command = get_command(app)
    context = Context(command, info_name="svcgen", help_option_names=["-h", "--help"])
    return f"{get_docs_for_click(obj=command, ctx=context, name='svcgen').strip()}\n"


if __name__ == "__main__":
    sys.stdout.write(cli_reference())
