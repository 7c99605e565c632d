"""How many of 60 services conflict when an edited fleet gets the next release of the template.

Each service has a year of edits at the places where owners edit; the release changes nine files of
each. `--copier` runs Copier too, which needs minutes: `PYTHONPATH=. python benchmarks/year.py`
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.fleet import engines, judge, year
from tests.support.fleet.cases import ANSWERS_FILE, Case
from tests.support.fleet.year_fleet import draw_fleets, write_environment

SVCGEN, GIT, COPIER = "svcgen update", "git merge-file", "copier update"

Conflicts = Sequence[frozenset[str]]
"""The paths that conflict, in each service."""


def conflicts(
    cases: Sequence[Case], root: Path, *, copier: bool
) -> Iterator[tuple[str, Conflicts]]:
    """Update the services in each way; `git merge-file` is run for each managed file."""
    workspace = root / "svcgen"
    workspace.mkdir()
    write_environment(cases, workspace)
    found = engines.update_with_svcgen(cases, workspace)
    yield SVCGEN, [outcome.conflicts for outcome in found]
    yield GIT, [frozenset(judge.true_conflicts(case, root)) for case in cases]
    if copier:
        each = (engines.update_with_copier(case, root / "copier" / case.name) for case in cases)
        yield COPIER, [outcome.conflicts for outcome in each]


def print_table(title: str, rows: Mapping[str, Sequence[object]], columns: Sequence[str]) -> None:
    """Print a table of Markdown."""
    print(f"\n| {title} | {' | '.join(columns)} |\n|" + " --- |" * (len(columns) + 1))
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(map(str, cells))} |")


def shapes_of(cases: Sequence[Case], found: Conflicts) -> Counter[str]:
    """Count the services in which a file that an edit of this shape changed conflicts."""
    return Counter(
        shape
        for case, paths in zip(cases, found, strict=True)
        for shape in {edit.kind for edit in case.edits if edit.path in paths}
    )


def print_fleet(cases: Sequence[Case], root: Path, *, copier: bool) -> None:
    """Print how many services and files conflict, by way, by shape and by file."""
    changed = [len(_managed(case)) for case in cases]
    print(f"\n{len(cases)} services; the release changes {min(changed)} to {max(changed)} files")
    found = dict(conflicts(cases, root, copier=copier))
    services = {way: sum(map(bool, paths)) for way, paths in found.items()}
    files = {way: Counter(path for one in paths for path in one) for way, paths in found.items()}
    summary = {way: (services[way], files[way].total()) for way in found}
    print_table("", summary, ("services with conflicts", "files"))
    by_shape = {way: shapes_of(cases, paths) for way, paths in found.items()}
    shapes = {
        shape: (_having(cases, shape), *(by_shape[way][shape] for way in found))
        for shape in year.SHAPES
    }
    shapes = {shape: cells for shape, cells in shapes.items() if cells[0]}
    print_table("shape", shapes, ("services with it", *found))
    paths = sorted({path for counter in files.values() for path in counter})
    print_table("file", {path: [files[way][path] for way in found] for path in paths}, [*found])


def _having(cases: Sequence[Case], shape: str) -> int:
    return sum(shape in {edit.kind for edit in case.edits} for case in cases)


def _managed(case: Case) -> list[str]:
    """Return the managed files that the release changes: a renamed one once, under its old name."""
    there = (path for path in case.changed if path in case.old and path != ANSWERS_FILE)
    return [path for path in there if not case.seeded(path)]


def main() -> None:
    """Print the year's fleet, and one whose owners only replaced the example."""
    copier = "--copier" in sys.argv
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number, (title, cases) in enumerate(draw_fleets(root).items()):
            print(f"\n{title}")
            scratch = root / str(number)
            scratch.mkdir()
            print_fleet(cases, scratch, copier=copier)


if __name__ == "__main__":
    main()
