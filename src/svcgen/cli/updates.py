"""The commands that keep services current: update, drift and reconfigure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from svcgen.cli import output, output_updates
from svcgen.cli.options import (
    FOUND_SOMETHING,
    Json,
    Names,
    Trust,
    allows,
    report_errors,
    report_progress,
    terminal,
)
from svcgen.errors import SvcgenError

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would change, as a diff.")]
Force = Annotated[bool, typer.Option("--force", help="Also where no git could bring edits back.")]


def update(
    names: Names = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every service from here down.")
    ] = False,
    ref: Annotated[str, typer.Option(help="The template's version; default: newest.")] = "",
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar="QUESTION=ANSWER", help="An answer given anew."),
    ] = None,
    dry_run: DryRun = False,
    branch: Annotated[
        str, typer.Option(metavar="NAME", help="Commit on a new branch of each repository.")
    ] = "",
    commit: Annotated[
        bool, typer.Option("--commit", help="Commit on the branch that is checked out.")
    ] = False,
    test: Annotated[
        bool,
        typer.Option(
            "--test", help="Run each service's `make lint test`; put it back if they fail."
        ),
    ] = False,
    lock: Annotated[
        bool, typer.Option("--lock", help="Run each service's `make lock generate`.")
    ] = False,
    canary: Annotated[
        int, typer.Option(min=0, metavar="N", help="Update N first; go on if all went well.")
    ] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Services at a time; default: one a core.")
    ] = None,
    force: Force = False,
    trust: Trust = False,
    go_on: Annotated[
        bool, typer.Option("--continue", help="The conflicts are resolved: end the update.")
    ] = False,
    abort: Annotated[bool, typer.Option("--abort", help="Undo an update in progress.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    json: Json = False,
) -> None:
    """Bring services to a newer template, and keep every edit."""
    from svcgen.commands.new import read_answers
    from svcgen.commands.update import UpdateOptions, abort_updates, continue_updates
    from svcgen.commands.update import update as update_services
    from svcgen.update.selection import select

    if sum(map(bool, (go_on, abort, dry_run, branch, commit))) > 1:
        raise typer.BadParameter(
            "--continue, --abort, --dry-run, --branch and --commit exclude each other."
        )
    selection = select(Path.cwd(), names or [], everything=everything, recovering=not abort)
    if go_on or abort:
        results = abort_updates(selection) if abort else continue_updates(selection)
        _finish(results, json=json)
        return
    options = UpdateOptions(
        ref, read_answers(data or [], None), dry_run, force, lock, test, branch, commit
    )
    asked = not (yes or json)
    unnamed = selection.everything and not (everything or dry_run)
    results = update_services(
        selection,
        options,
        allows(trust, asked=asked),
        confirm=lambda pending, done: _confirm(pending, done, asked=asked) if unnamed else None,
        progress=lambda pending, done: output_updates.updates(
            pending, done, report_progress, shown=not json
        ),
        workers=jobs,
        canary=canary,
    )
    _finish(results, json=json, dry_run=dry_run)


def _confirm(pending: Sequence[Any], done: Sequence[Any], *, asked: bool) -> None:
    """Show the pending updates and ask the user to confirm them."""
    if not pending:
        return
    if asked and terminal():
        typer.echo(output_updates.plan(pending, done))
        typer.confirm(f"Update {len(pending)} services?", abort=True)
    elif asked:
        raise SvcgenError(
            f"This would update {len(pending)} services.",
            "Confirm with --all or name them: svcgen update --all",
        )


def drift(
    names: Names = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show how each file differs.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Restore them as they were rendered.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also what is in no commit.")] = False,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Find managed files that are not as their template version rendered them."""
    from svcgen.commands.drift import DriftOptions
    from svcgen.commands.drift import drift as look
    from svcgen.update.selection import select

    selection = select(Path.cwd(), names or [], everything=False, reading=not fix)
    looked = look(
        selection,
        DriftOptions(diff=diff, fix=fix, force=force, allows=allows(trust, asked=not json)),
    )
    typer.echo(output.document(looked) if json else encoded(output_updates.drift(looked)))
    report_errors(looked, found=any(one.left for one in looked), json=json)


def reconfigure(
    name: Annotated[str, typer.Argument(help="A service.")],
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar="QUESTION=ANSWER", help="An answer; repeatable."),
    ] = None,
    data_file: Annotated[Path | None, typer.Option(help="A YAML file of answers.")] = None,
    dry_run: DryRun = False,
    force: Force = False,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Give a service other answers, at the template version that it has."""
    from svcgen.commands.new import read_answers
    from svcgen.commands.reconfigure import reconfigure as answer
    from svcgen.update.model import UpdateOptions
    from svcgen.update.selection import select

    answers = read_answers(data or [], data_file)
    if not answers:
        raise typer.BadParameter("Give an answer, for example -d database=postgres.")
    selection = select(Path.cwd(), [name], everything=False)
    options = UpdateOptions(data=answers, dry_run=dry_run, force=force)
    outcome = answer(selection, options, allows(trust, asked=not json))
    _finish([outcome], json=json, dry_run=dry_run)
    if not (json or dry_run):
        typer.echo(output_updates.next_steps(outcome), err=True, nl=False)


def encoded(told: str) -> bytes:
    """Write what holds lines of files: they are as they are, also where they are no UTF-8."""
    return told.encode(errors="surrogateescape")


def _finish(outcomes: list[Any], *, json: bool, dry_run: bool = False) -> None:
    """Print what became of each service, and end with the exit code that says it."""
    outcomes = sorted(outcomes, key=lambda outcome: outcome.service)
    if json:
        typer.echo(output.document(outcomes))
    else:
        told = output_updates.diffs(outcomes) if dry_run else output_updates.outcomes(outcomes)
        typer.echo(encoded(told), nl=not dry_run)
        typer.echo(output_updates.needs(outcomes, dry_run=dry_run), err=True, nl=False)
    states = {outcome.state for outcome in outcomes}
    if "failed" in states:
        raise typer.Exit(1)
    if states & {"conflicts", "reverted", "skipped"}:
        raise typer.Exit(FOUND_SOMETHING)
