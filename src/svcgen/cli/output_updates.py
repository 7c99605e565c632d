"""Results of update, list --outdated, drift and reconfigure as text, and update's progress."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from svcgen.cli.options import FOUND_SOMETHING
from svcgen.cli.output import table
from svcgen.errors import counted, one_line

if TYPE_CHECKING:
    from rich.table import Table

    from svcgen.commands.drift import DriftResult
    from svcgen.commands.list import OutdatedResult, OutdatedService
    from svcgen.run.engine import Report
    from svcgen.update.model import Finished, UpdateJob, UpdateResult


def outcome_row(outcome: UpdateResult) -> dict[str, object]:
    """Return the result for one service as a row of a table."""
    return {
        "service": outcome.service,
        "from": outcome.old or "-",
        "to": outcome.new or "-",
        "files": len(outcome.files),
        "conflicts": len(outcome.conflicts),
        "state": outcome.state,
    }


def outcomes(ended: Sequence[UpdateResult]) -> str:
    """Show the result for each service."""
    return table([outcome_row(outcome) for outcome in ended])


def plan(begun: Sequence[UpdateJob], ended: Sequence[UpdateResult]) -> str:
    """Show which version each service would get."""
    rows = [job.result("to be updated") for job in begun]
    return outcomes(sorted([*rows, *ended], key=lambda outcome: outcome.service))


def diffs(ended: Sequence[UpdateResult]) -> str:
    """Return one patch for all services: its paths begin with the service's folder."""
    return "".join(outcome.diff for outcome in ended)


def needs(ended: Sequence[UpdateResult], *, dry_run: bool = False) -> str:
    """List what the user has to do, service by service; empty without a task."""
    lines = []
    for outcome in ended:
        name = outcome.service
        if outcome.problem:
            lines += [f"{name}: {outcome.problem}", outcome.advice]
        if outcome.conflicts:
            lines.append(f"{name}: conflicts between your edits and the template in:")
            lines += [
                f"  {one_line(conflict.path)}: {conflict.why}" for conflict in outcome.conflicts
            ]
        if outcome.conflicts and not dry_run:
            lines.append(f"Resolve them, then: svcgen update {name} --continue")
            lines.append(f"Or undo the update: svcgen update {name} --abort")
        if outcome.kept_deleted:
            deleted = ", ".join(map(one_line, outcome.kept_deleted))
            lines.append(
                f"{name}: you deleted what the template changed; it stays deleted: {deleted}"
            )
        if outcome.ignored:
            unasked = ", ".join(f"`{question}`" for question in outcome.ignored)
            lines.append(f"{name}: {outcome.new} no longer asks {unasked}: not used any more")
        if outcome.lock_needed:
            lines.append(f"{name}: its dependencies changed. Next: make lock generate")
    return "".join(f"{line}\n" for line in lines if line)


def outdated(result: OutdatedResult) -> str:
    """Show which services are behind, and the changes since the oldest of them."""
    known = [service for service in result.services if not service.error]
    if not known:
        return "" if result.services else "Every service has the newest version of its template."
    rows = [{"service": o.name, "version": o.version, "newest": o.newest} for o in known]
    return "\n".join([table(rows), *_changelogs(known), "\nNext: svcgen update --all"])


def _changelogs(behind: Iterable[OutdatedService]) -> Iterable[str]:
    longest: dict[str, OutdatedService] = {}
    for service in behind:
        best = longest.get(service.template)
        if best is None or len(service.entries) > len(best.entries):
            longest[service.template] = service
    for template, service in longest.items():
        title = f" of {template}" if len(longest) > 1 else ""
        yield from (f"\n{entry.version}{title}\n\n{entry.text}" for entry in service.entries)


def drift(results: Sequence[DriftResult]) -> str:
    """Show the files that differ, and with `--diff` how."""
    rows = [
        {
            "service": result.service,
            "version": result.version,
            "file": file.path,
            "state": "restored" if file.path in result.fixed else file.state,
        }
        for result in results
        for file in result.files
    ]
    diffs = [file.diff for result in results for file in result.files if file.diff]
    if not rows and not any(result.error for result in results):
        return f"No drift in {counted(len(results), 'service')}."
    return "\n".join([table(rows), *diffs]).rstrip()


def errors(results: Iterable[DriftResult] | Iterable[OutdatedService]) -> str:
    """List the services that could not be compared, a line each; empty without one."""
    return "".join(
        f"{one_line(str(result.folder))}: {result.error}\n" for result in results if result.error
    )


def without_template(names: Sequence[str]) -> str:
    """Name the services that have no template; empty without one."""
    return f"Left out, as they have no template: {', '.join(names)}\n" if names else ""


def next_steps(outcome: UpdateResult) -> str:
    """List the commands that generate files from the new answers."""
    if outcome.state == "current":
        return f"Nothing to change: {outcome.service} already has these answers.\n"
    if outcome.state != "updated":
        return ""
    generate = "" if outcome.lock_needed else f"Next: make -C {outcome.folder} generate\n"
    return f"{generate}Then: svcgen compose\n"


def exit_with(*, found: bool, results: Iterable[DriftResult] | Iterable[OutdatedService]) -> None:
    """Exit with 3 when something was found, else with 1 when a service could not be compared."""
    if found:
        raise typer.Exit(FOUND_SOMETHING)
    if any(result.error for result in results):
        raise typer.Exit(1)


@contextmanager
def updates(
    begun: Sequence[UpdateJob], ended: Sequence[UpdateResult], report: Report, *, shown: bool
) -> Iterator[Finished]:
    """Yield a function that shows each finished service, in a table or off a terminal in a line."""
    several = len(begun) + len(ended) > 1
    try:
        if not (several and shown):
            yield lambda _outcome: None
        elif sys.stderr.isatty():
            with _live(begun, ended) as finished:
                yield finished
        else:
            yield lambda outcome: report(outcome.service, outcome.state)
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted: the next `svcgen update` undoes the unfinished changes.\n")
        raise


@contextmanager
def _live(begun: Sequence[UpdateJob], ended: Sequence[UpdateResult]) -> Iterator[Finished]:
    from rich.console import Console
    from rich.live import Live

    rows = {row.folder: row for row in (*ended, *(job.result("…") for job in begun))}
    with Live(_table(rows.values()), console=Console(stderr=True), transient=True) as live:

        def finished(outcome: UpdateResult) -> None:
            rows[outcome.folder] = outcome
            live.update(_table(rows.values()))

        yield finished


def _table(outcomes: Iterable[UpdateResult]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    rows = [outcome_row(row) for row in sorted(outcomes, key=lambda row: row.service)]
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*(Text(one_line(str(value))) for value in row.values()))
    return table
