"""What updates do to the edits of a service's owner: svcgen beside git's own merge and Copier.

Takes minutes: Copier needs seconds a service. Arguments are other templates to do the same with,
each a clone of a Copier template whose releases are tags, and answers that they insist on:
`PYTHONPATH=. python benchmarks/merge.py FOLDER… QUESTION=ANSWER…`
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import histories

from tests.support.fleet import cases, commits, engines, evolution, judge
from tests.support.fleet.cases import ANSWERS_FILE, Answers, Case, History
from tests.support.fleet.engines import Outcome
from tests.support.fleet.repository import write_repository

SERVICES = 100
OF_OTHERS = 10


SVCGEN, COPIER = "svcgen update", "copier update"

Row = dict[str, object]


@dataclass(frozen=True)
class Fleet:
    """Services of one template; `ours`: `svcgen update` finds them by their registrations."""

    title: str
    cases: Sequence[Case]
    ours: bool = True


def fleets(root: Path, clones: Sequence[Path], answers: Answers) -> Iterator[Fleet]:
    """Yield fleets of our template's five made versions, its real ones, and others' releases."""
    evolved = evolution.write_versions(root / "evolved")
    yield Fleet("Five made versions of our template", _drawn(root / "made", evolved, SERVICES))
    committed = commits.write_versions(root / "commits")
    if committed:
        yield Fleet("Five commits of our template", _drawn(root / "real", committed, SERVICES))
    for clone in clones:
        name = clone.parent.name if clone.name in {"repo", ".git"} else clone.name
        yield _of_others(name, histories.releases(clone, root / name), root, answers)


def _drawn(place: Path, folders: Mapping[str, Path], count: int) -> list[Case]:
    return list(cases.fleet(History(write_repository(place, folders), folders), count))


def _of_others(name: str, folders: Mapping[str, Path], root: Path, answers: Answers) -> Fleet:
    source = write_repository(root / f"{name}.git", folders)
    history = History(source, folders, by_copier=True)
    choices = [{**histories.answers(folders), **answers}]
    drawn = cases.fleet(history, 2 * OF_OTHERS, choices)
    older = [case for case in drawn if case.version != case.newest]
    return Fleet(f"{len(folders)} releases of {name}", older[:OF_OTHERS], ours=False)


def updated(fleet: Fleet, root: Path) -> dict[str, list[Outcome]]:
    """Update a fleet in each way."""
    if fleet.ours:
        ours = engines.update_with_svcgen(fleet.cases, root / "svcgen")
    else:
        ours = [engines.merge_with_svcgen(case, {}) for case in fleet.cases]
    return {
        SVCGEN: ours,
        "git merge": [
            engines.merge_with_git(case, root / "git" / case.name) for case in fleet.cases
        ],
        COPIER: [
            engines.update_with_copier(case, root / "copier" / case.name) for case in fleet.cases
        ],
    }


def rows(fleet: Fleet, found: Mapping[str, Sequence[Outcome]], scratch: Path) -> Iterator[Row]:
    """Yield one row for each way, and one for `git merge-file`, file by file."""
    for name, outcomes in found.items():
        pairs = list(zip(fleet.cases, outcomes, strict=True))
        conflicts = [outcome.conflicts for outcome in outcomes]
        yield {
            "": name,
            "conflicts in managed files": _managed(fleet, conflicts),
            "in all files": sum(map(len, conflicts)),
            "losses without a word": sum(len(_silent(case, outcome)) for case, outcome in pairs),
            "in services": sum(bool(_silent(case, outcome)) for case, outcome in pairs),
            "broke off": sum(bool(outcome.refused) for outcome in outcomes),
        }
    alone = [judge.true_conflicts(case, scratch, seeded=True) for case in fleet.cases]
    counts = (_managed(fleet, alone), sum(map(len, alone)))
    yield dict(zip(_COLUMNS, ("git merge-file, one by one", *counts, "", "", ""), strict=True))


def agreement(fleet: Fleet, found: Mapping[str, Sequence[Outcome]]) -> str:
    """Say how often svcgen's result is Copier's, where that one has nothing to be blamed for."""
    triples = zip(fleet.cases, found[SVCGEN], found[COPIER], strict=True)
    kept = [
        (case, ours, theirs)
        for case, ours, theirs in triples
        if not theirs.refused and not theirs.conflicts and not judge.lost(case, theirs)
    ]
    same = sum(not judge.differing(*one) for one in kept)
    return f"Copier neither broke off, asked nor lost in {len(kept)}: the same result in {same}."


def _managed(fleet: Fleet, conflicts: Sequence[Set[str]]) -> int:
    pairs = zip(fleet.cases, conflicts, strict=True)
    return sum(not case.seeded(path) for case, paths in pairs for path in paths)


def _silent(case: Case, outcome: Outcome) -> list[str]:
    """Name what is lost, where the exit code says that all went well."""
    return [] if outcome.refused else judge.lost(case, outcome)


def _size(fleet: Fleet) -> str:
    both = {
        kind: sum(fits(case, path) for case in fleet.cases for path in _changed_by_both(case))
        for kind, fits in _KINDS.items()
    }
    edits = sum(len(case.edits) for case in fleet.cases)
    return f"{len(fleet.cases)} services, {edits} edits; both sides changed " + ", ".join(
        f"{count} {kind}" for kind, count in both.items()
    )


_COLUMNS = (
    "",
    "conflicts in managed files",
    "in all files",
    "losses without a word",
    "in services",
    "broke off",
)
_KINDS: Mapping[str, Callable[[Case, str], bool]] = {
    "managed files": lambda case, path: not case.seeded(path),
    "seeded files": lambda case, path: case.seeded(path),
}


def _changed_by_both(case: Case) -> list[str]:
    mine = [path for path in case.changed if case.mine.get(path) != case.old.get(path)]
    return [path for path in mine if path != ANSWERS_FILE]


def main() -> None:
    """Print a table for each fleet."""
    clones = [Path(argument).resolve() for argument in sys.argv[1:] if "=" not in argument]
    answers = dict(argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument)
    with tempfile.TemporaryDirectory() as folder:
        for number, fleet in enumerate(fleets(Path(folder, "templates"), clones, answers)):
            print(f"\n{fleet.title}: {_size(fleet)}\n", flush=True)
            found = updated(fleet, Path(folder, str(number)))
            print(f"| {' | '.join(_COLUMNS)} |\n|" + " --- |" * len(_COLUMNS))
            for row in rows(fleet, found, Path(folder)):
                print("| " + " | ".join(str(row[column]) for column in _COLUMNS) + " |", flush=True)
            print(f"\n{agreement(fleet, found)}")


if __name__ == "__main__":
    main()
