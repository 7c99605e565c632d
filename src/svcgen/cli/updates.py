"""The commands that keep services current: update, drift and reconfigure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from svcgen.cli import output_updates
from svcgen.cli.answers import read_given
from svcgen.cli.options import (
    FOUND_SOMETHING,
    CallsAnswer,
    Data,
    DatabaseAnswer,
    DataFile,
    DryRun,
    Force,
    Json,
    Name,
    Ref,
    Trust,
    allows,
    choose_again,
    name_marked_files,
    names_or,
    terminal,
)
from svcgen.cli.output import emit, report_progress, say
from svcgen.errors import SvcgenError, counted


def update(
    names: Annotated[
        list[str] | None,
        names_or("the service of this directory, else all after you confirm it"),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Update all services in this directory and below.")
    ] = False,
    ref: Ref = "",
    data: Data = None,
    dry_run: DryRun = False,
    branch: Annotated[
        str,
        typer.Option(metavar="BRANCH", help="Commit to a new branch in each repository."),
    ] = "",
    commit: Annotated[bool, typer.Option("--commit", help="Commit to the current branch.")] = False,
    test: Annotated[
        bool,
        typer.Option(
            "--test", help="Run `make lint test` in each service; undo its update on failure."
        ),
    ] = False,
    lock: Annotated[
        bool, typer.Option("--lock", help="Run `make lock generate` in each service.")
    ] = False,
    canary: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Update N services first; continue only if all succeed."
        ),
    ] = 0,
    jobs: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Update N services at once; default: one a core."),
    ] = None,
    force: Force = False,
    trust: Trust = False,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Finish an update after you resolved its conflicts.")
    ] = False,
    abort: Annotated[bool, typer.Option("--abort", help="Undo an update in progress.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask no questions.")] = False,
    json: Json = False,
) -> None:
    """Update services to a newer version of their template, and keep your edits."""
    from svcgen.commands.update import UpdateOptions, abort_updates, continue_updates
    from svcgen.commands.update import update as update_services
    from svcgen.update.selection import select

    if sum(map(bool, (go_on, abort, dry_run, branch, commit))) > 1:
        raise typer.BadParameter(
            "--continue, --abort, --dry-run, --branch and --commit exclude each other."
        )
    if everything and names:
        raise typer.BadParameter("--all and NAME exclude each other.")
    selection = select(Path.cwd(), names or [], everything=everything, recovering=not abort)
    if go_on or abort:
        results = abort_updates(selection, force=force) if abort else continue_updates(selection)
        _emit_results(results, json=json)
        return
    options = UpdateOptions(ref, read_given(data), dry_run, force, lock, test, branch, commit)
    asked = not (yes or json)
    unnamed = selection.everything and not (everything or dry_run)
    results = update_services(
        selection,
        options,
        allows(trust, asked=asked),
        choose_again if asked and terminal() else None,
        confirm=lambda pending, done: _confirm(pending, done, asked=asked) if unnamed else None,
        progress=lambda pending, done: output_updates.updates(
            pending, done, report_progress, shown=not json
        ),
        workers=jobs,
        canary=canary,
    )
    _emit_results(results, json=json, dry_run=dry_run)


def _confirm(pending: Sequence[Any], done: Sequence[Any], *, asked: bool) -> None:
    """Show the plan for all services, and ask the user to confirm it."""
    if not pending:
        return
    if asked and terminal():
        say(output_updates.plan(pending, done))
        typer.confirm(f"Update {counted(len(pending), 'service')}?", abort=True)
    elif asked:
        raise SvcgenError(
            f"This would update {counted(len(pending), 'service')}.",
            "Confirm with --all or name them: svcgen update --all",
        )


def drift(
    names: Annotated[list[str] | None, names_or("the service of this directory, else all")] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show how each file differs.")] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Restore the files from the template.")
    ] = False,
    force: Force = False,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Find managed files that differ from the template."""
    from svcgen.cli.documents import updates as documents
    from svcgen.commands.drift import DriftOptions, without_template
    from svcgen.commands.drift import drift as compare
    from svcgen.update.selection import select

    selection = select(Path.cwd(), names or [], everything=False, reading=not fix)
    name_marked_files(selection.workspace)
    options = DriftOptions(diff=diff, fix=fix, force=force, allows=allows(trust, asked=not json))
    results = compare(selection, options)
    problems = output_updates.errors(results) + output_updates.without_template(
        without_template(selection)
    )
    text = output_updates.drift(results)
    emit(documents.drift_document(results), text, problems, json=json, exact=diff)
    output_updates.exit_with(found=any(result.left for result in results), results=results)


def reconfigure(
    name: Name,
    database: DatabaseAnswer = None,
    calls: CallsAnswer = None,
    data: Data = None,
    data_file: DataFile = None,
    dry_run: DryRun = False,
    force: Force = False,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Change the answers of a service, at the template version that it has."""
    from svcgen.commands.reconfigure import reconfigure as change
    from svcgen.update.model import UpdateOptions
    from svcgen.update.selection import select

    answers = read_given(data, data_file, {"database": database, "calls": calls})
    if not answers.values:
        raise typer.BadParameter("Give an answer, for example --database postgres.")
    selection = select(Path.cwd(), [name], everything=False)
    options = UpdateOptions(data=answers, dry_run=dry_run, force=force)
    result = change(selection, options, allows(trust, asked=not json))
    _emit_results([result], json=json, dry_run=dry_run)
    steps = output_updates.next_steps(result)
    if steps and not (json or dry_run):
        say(steps, err=True)


def _emit_results(results: Sequence[Any], *, json: bool, dry_run: bool = False) -> None:
    """Print the result for each service, and exit with the code that it requires."""
    from svcgen.cli.documents import updates as documents

    results = sorted(results, key=lambda result: result.service)
    text = output_updates.diffs(results) if dry_run else output_updates.outcomes(results)
    needs = output_updates.needs(results, dry_run=dry_run)
    emit(documents.update_document(results), text, needs, json=json, exact=dry_run)
    states = {result.state for result in results}
    if "failed" in states:
        raise typer.Exit(1)
    if states & {"conflicts", "reverted", "skipped"}:
        raise typer.Exit(FOUND_SOMETHING)
