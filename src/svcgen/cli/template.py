"""The commands `svcgen template ...`: versions of a template, and a company's own template."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from svcgen.cli import output
from svcgen.cli.answers import read_given
from svcgen.cli.completion import complete_versions
from svcgen.cli.help_format import Command, Group
from svcgen.cli.options import FOUND_SOMETHING, Data, Json, TemplateSource, Trust, allows
from svcgen.cli.output import emit

templates = typer.Typer(
    cls=Group, no_args_is_help=True, help="List versions of a template, or maintain your own."
)


@templates.command("versions", cls=Command)
def versions_(template: TemplateSource = "", json: Json = False) -> None:
    """List the versions of a template, the oldest first."""
    from svcgen.cli.documents import template as documents
    from svcgen.templates.sources import list_versions

    found = list_versions(template)
    hint = "" if found else "No version is released. Next: svcgen template release v1.0.0"
    emit(documents.versions_document(found), "\n".join(found), hint, json=json)


@templates.command("check", cls=Command)
def check_(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder of the template; default: the current directory.",
            show_default=False,
        ),
    ] = Path(),
    data: Data = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Check your template with all combinations of answers; exit with 3 if it breaks a rule.

    Questions that have neither choices nor a default need an answer with -d.
    """
    from svcgen.cli.documents import template as documents
    from svcgen.template_check.check import check_template

    given = read_given(data).values
    with _progress_bar("Rendering") as progress:
        checked = check_template(folder.absolute(), given, allows=allows(trust), progress=progress)
    emit(documents.check_document(checked), output.template_faults(checked), json=json)
    if checked.faults:
        raise typer.Exit(FOUND_SOMETHING)


@templates.command("init", cls=Command)
def init_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to create.")],
    ref: Annotated[
        str,
        typer.Option(
            metavar="VERSION",
            help="Release of svcgen's template; default: the newest.",
            autocompletion=complete_versions,
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Create a git repository with your own template, based on svcgen's."""
    from svcgen.cli.documents import template as documents
    from svcgen.commands.template.init import init

    made = init(folder, ref)
    emit(documents.init_document(made), output.template_created(made, str(folder)), json=json)


@templates.command("upgrade", cls=Command)
def upgrade_(
    version: Annotated[
        str,
        typer.Argument(
            metavar="VERSION",
            help="Release of svcgen's template.",
            autocompletion=complete_versions,
        ),
    ],
    json: Json = False,
) -> None:
    """Merge a newer release of svcgen's template into yours; exit with 3 on conflicts."""
    from svcgen.cli.documents import template as documents
    from svcgen.commands.template.upgrade import upgrade

    done = upgrade(Path.cwd(), version)
    emit(documents.upgrade_document(done), output.template_upgraded(done), json=json)
    if done.conflicts:
        raise typer.Exit(FOUND_SOMETHING)


@templates.command("release", cls=Command)
def release_(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="vX.Y.Z, higher than all released versions.")
    ],
    data: Data = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Check your template and tag the current commit; exit with 3 if it breaks a rule."""
    from svcgen.cli.documents import template as documents
    from svcgen.commands.template.release import release

    given = read_given(data).values
    with _progress_bar("Rendering") as progress:
        done = release(Path.cwd(), version, given, allows=allows(trust), progress=progress)
    emit(documents.release_document(done), output.template_released(done), json=json)
    if done.checked.faults:
        raise typer.Exit(FOUND_SOMETHING)


@contextlib.contextmanager
def _progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that takes the number of finished steps and of all steps.

    On a terminal, a bar on standard error shows them.
    """
    if not sys.stderr.isatty():
        yield lambda _done, _whole: None
        return
    with typer.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def progress(done: int, whole: int) -> None:
            bar.length = whole
            bar.update(done - bar.pos)

        yield progress
