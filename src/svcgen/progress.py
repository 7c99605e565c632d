"""What a fleet's update shows while it runs: a table on a terminal, else a line a service."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from svcgen.upkeep import outcome_row

if TYPE_CHECKING:
    from rich.table import Table

    from svcgen.commands.update import Finished, Job, Outcome
    from svcgen.run.engine import Report


@contextmanager
def updates(
    begun: Sequence[Job], ended: Sequence[Outcome], report: Report, *, shown: bool
) -> Iterator[Finished]:
    """Yield a function that is told of each service as it is done; off a terminal it reports."""
    try:
        with _shown(begun, ended, report, shown=shown) as finished:
            yield finished
    except KeyboardInterrupt:
        sys.stderr.write("\nBroken off: the next `svcgen update` puts back what is half-done.\n")
        raise


@contextmanager
def _shown(
    begun: Sequence[Job], ended: Sequence[Outcome], report: Report, *, shown: bool
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
def _live(begun: Sequence[Job], ended: Sequence[Outcome]) -> Iterator[Finished]:
    from rich.console import Console
    from rich.live import Live

    rows = {one.folder: one for one in (*ended, *(job.outcome("…") for job in begun))}
    with Live(_table(rows.values()), console=Console(stderr=True), transient=True) as live:

        def finished(outcome: Outcome) -> None:
            rows[outcome.folder] = outcome
            live.update(_table(rows.values()))

        yield finished


def _table(outcomes: Iterable[Outcome]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    rows = [outcome_row(one) for one in sorted(outcomes, key=lambda one: one.service)]
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*map(str, row.values()))
    return table
