"""What `update`, `list --outdated`, `drift` and `reconfigure` say to people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from svcgen.cli.output import table

if TYPE_CHECKING:
    from svcgen.commands.drift import DriftResult
    from svcgen.commands.list import OutdatedService
    from svcgen.update.model import UpdateJob, UpdateResult
if TYPE_CHECKING:
    from rich.table import Table

    from svcgen.run.engine import Report
    from svcgen.update.model import Finished


def outcome_row(outcome: UpdateResult) -> dict[str, object]:
    """Show what became of one service as a row of a table."""
    return {
        "service": outcome.service,
        "from": outcome.old or "-",
        "to": outcome.new or "-",
        "files": len(outcome.files),
        "conflicts": len(outcome.conflicts),
        "state": outcome.state,
    }


def outcomes(ended: Sequence[UpdateResult]) -> str:
    """Show what became of each service."""
    return table([outcome_row(outcome) for outcome in ended])


def plan(begun: Sequence[UpdateJob], ended: Sequence[UpdateResult]) -> str:
    """Show the way that each service has before it."""
    rows = [job.result("to be updated") for job in begun]
    return outcomes(sorted([*rows, *ended], key=lambda outcome: outcome.service))


def diffs(ended: Sequence[UpdateResult]) -> str:
    """Show what would change; paths begin with the service's folder, so one patch holds all."""
    return "".join(outcome.diff for outcome in ended)


def needs(ended: Sequence[UpdateResult], *, dry_run: bool = False) -> str:
    """List what the user has to do, service by service; empty when there is nothing."""
    lines = [line for outcome in ended for line in _needs(outcome, dry_run=dry_run)]
    return "\n".join([*lines, ""]) if lines else ""


def _needs(outcome: UpdateResult, *, dry_run: bool) -> list[str]:
    lines = []
    if outcome.problem:
        lines += [f"{outcome.service}: {outcome.problem}", outcome.advice]
    if outcome.conflicts:
        lines.append(f"{outcome.service}: conflicts between your edits and the template in:")
        lines += [f"  {conflict.path}: {conflict.why}" for conflict in outcome.conflicts]
    if outcome.conflicts and not dry_run:
        lines.append(f"Resolve them, then: svcgen update {outcome.service} --continue")
        lines.append(f"Or undo the update: svcgen update {outcome.service} --abort")
    if outcome.kept_deleted:
        gone = ", ".join(outcome.kept_deleted)
        lines.append(f"{outcome.service}: stays deleted, though the template changed it: {gone}")
    if outcome.lock_needed:
        lines.append(f"{outcome.service}: its dependencies changed. Next: make lock generate")
    return list(filter(None, lines))


def outdated(behind: Sequence[OutdatedService]) -> str:
    """Show which services are behind, and what their templates changed since the oldest of them."""
    known = [one for one in behind if not one.error]
    if not known:
        return "" if behind else "Every service has the newest version of its template."
    rows = [{"service": o.name, "version": o.version, "newest": o.newest} for o in known]
    return "\n".join([table(rows), *_changelogs(known), "\nNext: svcgen update --all"])


def _changelogs(behind: Iterable[OutdatedService]) -> Iterable[str]:
    longest: dict[str, OutdatedService] = {}
    for one in behind:
        if one.template not in longest or len(one.entries) > len(longest[one.template].entries):
            longest[one.template] = one
    for template, one in longest.items():
        title = f" of {template}" if len(longest) > 1 else ""
        yield from (f"\n{entry.version}{title}\n\n{entry.text}" for entry in one.entries)


def drift(looked: Sequence[DriftResult]) -> str:
    """Show the files that differ, and with what was asked for, how."""
    rows = [
        {
            "service": one.service,
            "version": one.version,
            "file": file.path,
            "state": "restored" if file.path in one.fixed else file.state,
        }
        for one in looked
        for file in one.files
    ]
    diffs = [file.diff for one in looked for file in one.files if file.diff]
    if not rows and not any(one.error for one in looked):
        return f"No drift in {_count(looked)}."
    return "\n".join([table(rows), *diffs]).rstrip()


def errors(results: Iterable[DriftResult] | Iterable[OutdatedService]) -> str:
    """Say what could not be looked at, a line each; empty when there is nothing."""
    return "".join(f"{one.folder}: {one.error}\n" for one in results if one.error)


def next_steps(outcome: UpdateResult) -> str:
    """Say what other answers leave to do: what is generated from them is no template's to write."""
    if outcome.state == "current":
        return f"Nothing to change: {outcome.service} answers so already.\n"
    if outcome.state != "updated":
        return ""
    generate = "" if outcome.lock_needed else f"Next: make -C {outcome.folder} generate\n"
    return f"{generate}Then: svcgen compose\n"


def _count(looked: Sequence[DriftResult]) -> str:
    return "1 service" if len(looked) == 1 else f"{len(looked)} services"


@contextmanager
def updates(
    begun: Sequence[UpdateJob], ended: Sequence[UpdateResult], report: Report, *, shown: bool
) -> Iterator[Finished]:
    """Yield a function that is told of each service as it is done; off a terminal it reports."""
    try:
        with _shown(begun, ended, report, shown=shown) as finished:
            yield finished
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted: the next `svcgen update` undoes what is half-done.\n")
        raise


@contextmanager
def _shown(
    begun: Sequence[UpdateJob], ended: Sequence[UpdateResult], report: Report, *, shown: bool
) -> Iterator[Finished]:
    alone = [*begun, *ended][1:] == []
    if alone or not shown:
        yield lambda _outcome: None
    elif sys.stderr.isatty():
        with _live(begun, ended) as finished:
            yield finished
    else:
        yield lambda outcome: report(outcome.service, outcome.state)


@contextmanager
def _live(begun: Sequence[UpdateJob], ended: Sequence[UpdateResult]) -> Iterator[Finished]:
    from rich.console import Console
    from rich.live import Live

    rows = {one.folder: one for one in (*ended, *(job.result("…") for job in begun))}
    with Live(_table(rows.values()), console=Console(stderr=True), transient=True) as live:

        def finished(outcome: UpdateResult) -> None:
            rows[outcome.folder] = outcome
            live.update(_table(rows.values()))

        yield finished


def _table(outcomes: Iterable[UpdateResult]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    rows = [outcome_row(one) for one in sorted(outcomes, key=lambda one: one.service)]
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*map(str, row.values()))
    return table
