"""Sixty services with a year of edits, updated to a release of a realistic size.

benchmarks/year.py prints which shapes of edits conflict, beside `git merge-file` and Copier.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.fleet import year
from tests.support.fleet.cases import Case
from tests.support.fleet.engines import Outcome, update_with_svcgen
from tests.support.fleet.judge import lost, unreported
from tests.support.fleet.year_fleet import REPLACED, YEAR, draw_fleets, write_environment

pytestmark = pytest.mark.slow
MOST_CONFLICTING = 10


@dataclass(frozen=True)
class Fleet:
    """Services, what an update made of each, and room for `git merge-file`."""

    cases: list[Case]
    outcomes: list[Outcome]
    scratch: Path

    @property
    def conflicts(self) -> dict[str, set[str]]:
        pairs = zip(self.cases, self.outcomes, strict=True)
        return {case.name: set(outcome.conflicts) for case, outcome in pairs if outcome.conflicts}


@pytest.fixture(scope="module")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fleet]:
    drawn = draw_fleets(tmp_path_factory.mktemp("template"))
    return {
        title: _updated(
            cases, *(tmp_path_factory.mktemp(name) for name in ("workspace", "scratch"))
        )
        for title, cases in drawn.items()
    }


def _updated(cases: list[Case], workspace: Path, scratch: Path) -> Fleet:
    write_environment(cases, workspace)
    return Fleet(cases, update_with_svcgen(cases, workspace), scratch)


def test_each_shape_of_edits_meets_the_release(fleets: dict[str, Fleet]) -> None:
    fleet = fleets[YEAR]
    counted = Counter(shape for case in fleet.cases for shape in {edit.kind for edit in case.edits})
    assert counted == {shape: count for shape, (count, _) in year.SHAPES.items()}
    both = [case for case in fleet.cases if {edit.path for edit in case.edits} & case.changed]
    assert len(both) > 0.8 * len(fleet.cases)


def test_few_services_with_a_year_of_edits_conflict(fleets: dict[str, Fleet]) -> None:
    assert len(fleets[YEAR].conflicts) <= MOST_CONFLICTING, fleets[YEAR].conflicts


def test_no_service_with_only_another_resource_conflicts(fleets: dict[str, Fleet]) -> None:
    replaced = fleets[REPLACED]
    managed = [edit for case in replaced.cases for edit in case.edits if not case.seeded(edit.path)]
    own = {edit.path for case in replaced.cases for edit in case.edits if edit.path in case.old}
    assert {edit.path for edit in managed} & own == {
        "pyproject.toml",
        "go.mod",
        "package.json",
        "pom.xml",
    }
    assert replaced.conflicts == {}


@pytest.mark.parametrize("title", [YEAR, REPLACED])
def test_nothing_is_lost_and_each_conflict_is_reported(
    fleets: dict[str, Fleet], title: str
) -> None:
    fleet = fleets[title]
    for case, outcome in zip(fleet.cases, fleet.outcomes, strict=True):
        assert not outcome.refused
        assert lost(case, outcome) == [], case.name
        assert unreported(case, outcome, fleet.scratch) == [], case.name
