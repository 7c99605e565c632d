"""Completion in a shell: `--install-completion` and `--show-completion`.

Typer's own two options load its completion code whenever svcgen starts, and they do not accept the
name of a shell. These load it on use; Typer has no public functions for that.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from svcgen.errors import SvcgenError

PROGRAM = "svcgen"
SHELLS = ("bash", "zsh", "fish")
OPTIONS = ("--install-completion", "--show-completion")
_VARIABLE = "_SVCGEN_COMPLETE"
_DETECT = "detect"


def with_shell(words: list[str]) -> list[str]:
    """Give an option of completion at the end, which has no shell, one that is detected."""
    return [*words, _DETECT] if words and words[-1] in OPTIONS else words


def load_completion() -> None:
    """Load what completes a command line, if a shell is asking for it."""
    if _VARIABLE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()


def install_completion(shell: str | None) -> None:
    """Install completion in the user's start-up files, and exit.

    Raises SvcgenError when the shell is not supported or cannot be detected.
    """
    if shell is None:
        return
    from typer._completion_shared import install

    supported = _supported(shell, OPTIONS[0])
    try:
        name, file = install(supported, PROGRAM, _VARIABLE)
    except OSError as error:
        raise SvcgenError(
            f"Completion cannot be installed: {error.filename}: {error.strerror}.",
            f"Print the script and install it yourself: svcgen {OPTIONS[1]} {supported}",
        ) from error
    typer.echo(f"Installed completion for {name} in {file}. Open a new terminal to use it.")
    raise typer.Exit


def show_completion(shell: str | None) -> None:
    """Print the script of completion, and exit.

    Raises SvcgenError when the shell is not supported or cannot be detected.
    """
    if shell is None:
        return
    from typer._completion_shared import get_completion_script

    name = _supported(shell, OPTIONS[1])
    script = get_completion_script(prog_name=PROGRAM, complete_var=_VARIABLE, shell=name)
    typer.echo(script)
    raise typer.Exit


def complete_services(incomplete: str) -> list[str]:
    """Return the names of services that begin with what is typed; none if they cannot be read."""
    from svcgen.workspace import open_workspace

    try:
        services = open_workspace(Path.cwd()).services
    except (SvcgenError, OSError):
        return []
    return [service.name for service in services if service.name.startswith(incomplete)]


def complete_scale(incomplete: str) -> list[str]:
    """Return the names of services, each with the = of `NAME=N`."""
    return [f"{name}=" for name in complete_services(incomplete)]


def complete_versions(ctx: Any, incomplete: str) -> list[str]:
    """Return the versions of the template that a command line is about.

    It is the template of --template, else of the services that are named, or of all. There are none
    if they cannot be read.
    """
    from svcgen.templates.sources import open_source
    from svcgen.workspace import open_workspace

    sources = {ctx.params.get("template") or ""}
    names = ctx.params.get("names")
    try:
        if "names" in ctx.params:
            services = open_workspace(Path.cwd()).services
            chosen = [each for each in services if not names or each.name in names]
            sources = {service.template for service in chosen} or sources
        found = [
            version for source in sorted(sources) for version in open_source(source).versions()
        ]
    except (SvcgenError, OSError):
        return []
    return [version for version in dict.fromkeys(found) if version.startswith(incomplete)]


def complete_from(*words: str) -> Any:
    """Return a function that completes one of these words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def _supported(shell: str, option: str) -> str:
    """Return the shell: the named one, or the one that started svcgen, or the login shell."""
    from typer._completion_shared import _get_shell_name

    login = Path(os.environ.get("SHELL", "")).name
    name = (_get_shell_name() or login) if shell == _DETECT else shell
    if name not in SHELLS:
        problem = f'The shell "{name}" is not supported.' if name else "The shell is unknown."
        raise SvcgenError(problem, f"Name bash, zsh or fish: svcgen {option} bash")
    return name
