"""The command line's `template …`: versions of ours, and a company's own template."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from svcgen.cli.options import FOUND_SOMETHING, Json, Trust, allows

templates = typer.Typer(no_args_is_help=True, help="Versions of the template, and your own.")
Source = Annotated[
    str, typer.Option("--template", metavar="SOURCE", help="Another than svcgen's: URL or folder.")
]


@templates.command("versions")
def versions_(template: Source = "", json: Json = False) -> None:
    """List the versions that `new --ref` and `update --ref` take, the oldest first."""
    from svcgen.cli import output
    from svcgen.templates.sources import open_source

    found = open_source(template).versions()
    if json:
        typer.echo(output.document(found))
    elif found:
        typer.echo("\n".join(found))
    else:
        typer.echo("No version was released yet.", err=True)


Data = Annotated[
    list[str] | None,
    typer.Option("--data", "-d", metavar="QUESTION=ANSWER", help="For questions without default."),
]


@templates.command("check")
def check_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The template's.")] = Path(),
    data: Data = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Render every combination of answers; exit with 3 if the result breaks a rule."""
    from svcgen.cli import output
    from svcgen.commands.new import read_answers
    from svcgen.template_check.check import check_template

    given = read_answers(data or [], None)
    with _counted("Rendering") as progress:
        checked = check_template(folder.absolute(), given, allows=allows(trust), progress=progress)
    typer.echo(output.document(checked) if json else output.template_faults(checked))
    if checked.faults:
        raise typer.Exit(FOUND_SOMETHING)


@templates.command("init")
def init_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.")],
    ref: Annotated[str, typer.Option(help="The release to begin with; default: newest.")] = "",
    json: Json = False,
) -> None:
    """Start a template of your own from svcgen's: a git repository that can follow it."""
    from svcgen.cli import output
    from svcgen.commands.template.init import init

    made = init(folder, ref)
    typer.echo(output.document(made) if json else output.template_begun(made, str(folder)))


@templates.command("upgrade")
def upgrade_(
    version: Annotated[str, typer.Argument(help="A release of svcgen's template.")],
    json: Json = False,
) -> None:
    """Merge a newer release of svcgen's into your template; exit with 3 if there are conflicts."""
    from svcgen.cli import output
    from svcgen.commands.template.upgrade import upgrade

    done = upgrade(Path.cwd(), version)
    typer.echo(output.document(done) if json else output.template_upgraded(done))
    if done.conflicts:
        raise typer.Exit(FOUND_SOMETHING)


@templates.command("release")
def release_(
    version: Annotated[str, typer.Argument(help="A version higher than the last: vX.Y.Z.")],
    data: Data = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Check your template and tag this commit as a version; exit with 3 if it breaks a rule."""
    from svcgen.cli import output
    from svcgen.commands.new import read_answers
    from svcgen.commands.template.release import release

    given = read_answers(data or [], None)
    with _counted("Rendering") as progress:
        done = release(Path.cwd(), version, given, allows=allows(trust), progress=progress)
    typer.echo(output.document(done) if json else output.template_released(done))
    if done.checked.faults:
        raise typer.Exit(FOUND_SOMETHING)


@contextlib.contextmanager
def _counted(label: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that is told how much is done; a bar on stderr shows it on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _whole: None
        return
    with typer.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def progress(done: int, whole: int) -> None:
            bar.length = whole
            bar.update(done - bar.pos)

        yield progress
