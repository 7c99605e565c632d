"""A hundred services with their owners' edits, brought to a newer template: nothing is lost.

Judged by what owners wrote, and beside `git merge-file` and plain `copier update` on the same
services. benchmarks/merge.py prints the whole comparison.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from svcgen.templates.base import Version
from svcgen.templates.declaration import read_declaration
from tests.support.fleet import cases, commits, evolution, other_template
from tests.support.fleet.cases import CHOICES, MODEL, Case, History
from tests.support.fleet.engines import (
    Outcome,
    merge_with_svcgen,
    update_with_copier,
    update_with_svcgen,
)
from tests.support.fleet.judge import differing, lost, true_conflicts, unreported
from tests.support.fleet.repository import write_repository
from tests.support.fleet.tree import named, with_lf

pytestmark = pytest.mark.slow
SERVICES = 100
WITH_COPIER = range(0, SERVICES, 17)  # 2.5 s each


@dataclass(frozen=True)
class Updated:
    """A fleet, what its update made of it, and room for `git merge-file`."""

    cases: list[Case]
    outcomes: list[Outcome]
    scratch: Path

    def __iter__(self) -> Iterator[tuple[Case, Outcome]]:
        return zip(self.cases, self.outcomes, strict=True)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    root = tmp_path_factory.mktemp("template")
    folders = evolution.write_versions(root / "versions")
    return History(write_repository(root / "repository", folders), folders)


@pytest.fixture(scope="module")
def ours(history: History, tmp_path_factory: pytest.TempPathFactory) -> Updated:
    """Services of our template, updated by one `svcgen update --all`."""
    drawn = list(cases.fleet(history, SERVICES))
    outcomes = update_with_svcgen(drawn, tmp_path_factory.mktemp("workspace"))
    return Updated(drawn, outcomes, tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Updated:
    """Projects of a template with all that ours does without, merged without a command."""
    root = tmp_path_factory.mktemp("other-template")
    folders = other_template.write_versions(root / "versions")
    drawn = list(cases.fleet(History(root, folders), 40, other_template.ANSWERS))
    outcomes = [merge_with_svcgen(case, {}) for case in drawn]
    return Updated(drawn, outcomes, tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Updated:
    """Services of our template as it was at five real commits, merged without a command."""
    root = tmp_path_factory.mktemp("commits")
    folders = commits.write_versions(root)
    if not folders:
        pytest.skip("this clone is shallow: it has no old commits")
    drawn = list(cases.fleet(History(root, folders), 40))
    manifests = read_declaration(Version("", "", folders[drawn[0].newest])).manifests
    outcomes = [merge_with_svcgen(case, manifests) for case in drawn]
    return Updated(drawn, outcomes, tmp_path_factory.mktemp("scratch"))


@pytest.fixture(params=["ours", "grown", "others"])
def updated(request: pytest.FixtureRequest) -> Updated:
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Updated)
    return made


def test_the_fleet_is_what_its_proof_needs(ours: Updated) -> None:
    edits = [(case, edit) for case in ours.cases for edit in case.edits]
    kinds = Counter(edit.kind for _, edit in edits)
    assert {"code", "chart", "image", "dependency", "prose", "deletion", "new file", "move"} <= {
        kind for kind, count in kinds.items() if count >= 10
    }
    shared = sum(edit.path in case.changed for case, edit in edits)
    assert shared >= 0.4 * len(edits)
    assert {case.version for case in ours.cases} == set(evolution.VERSIONS)
    assert any(case.mine != with_lf(case.mine) for case in ours.cases)


def test_a_service_by_another_name_is_what_would_be_rendered(history: History) -> None:
    choice = next(one for one in CHOICES if one["stack"] == "java" and one["calls"])
    other = {key: str(value).replace(MODEL, "svc042") for key, value in choice.items()}
    rendered = history.rendered("v1.0.0", {**other, "calls": choice["calls"]})
    assert named(history.rendered("v1.0.0", choice), MODEL, "svc042") == rendered


def test_no_service_is_refused(ours: Updated) -> None:
    assert {case.name: outcome.refused for case, outcome in ours if outcome.refused} == {}


def test_no_edit_is_lost(updated: Updated) -> None:
    assert {case.name: gone for case, outcome in updated if (gone := lost(case, outcome))} == {}


def test_every_conflict_is_reported(updated: Updated) -> None:
    silent = {case.name: unreported(case, outcome, updated.scratch) for case, outcome in updated}
    assert {name: paths for name, paths in silent.items() if paths} == {}


def test_no_managed_file_conflicts_that_git_can_merge(updated: Updated) -> None:
    """Beside a file that is kept may lie the template's: it is reported with it."""
    more = {
        case.name: extra
        for case, outcome in updated
        if (extra := _in_place(case, outcome) - true_conflicts(case, updated.scratch))
    }
    assert more == {}


def _in_place(case: Case, outcome: Outcome) -> set[str]:
    return {path for path in outcome.conflicts if path in case.mine}


def test_seeded_files_never_conflict(updated: Updated) -> None:
    assert not any(case.seeded(path) for case, outcome in updated for path in outcome.conflicts)


def test_where_copier_keeps_all_the_result_is_the_same(ours: Updated, tmp_path: Path) -> None:
    same = 0
    for number in WITH_COPIER:
        case = ours.cases[number]
        copier = update_with_copier(case, tmp_path / case.name)
        if not copier.refused and not copier.conflicts and not lost(case, copier):
            assert differing(case, ours.outcomes[number], copier) == [], case.name
            same += 1
    assert same
