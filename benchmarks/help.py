"""How long a user waits for `--help`: against an empty Typer application and other tools."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import timing

EMPTY = """\
import typer

app = typer.Typer()


@app.command()
def hello() -> None: ...


@app.command()
def bye() -> None: ...


app()
"""


def main() -> None:
    """Print the table; aim: at most 1.2 times an empty Typer application."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "empty.py")
        empty.write_text(EMPTY)
        commands = {
            "an empty Typer application": [sys.executable, str(empty), "--help"],
            "svcgen --help": [str(timing.BIN / "svcgen"), "--help"],
            "copier --help": [str(timing.BIN / "copier"), "--help"],
            "cookiecutter --help": [str(timing.BIN / "cookiecutter"), "--help"],
        }
        walls = timing.interleaved(commands)
        timing.show("Help", walls, "an empty Typer application")


if __name__ == "__main__":
    main()
