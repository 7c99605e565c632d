"""The fleets of a year's edits: 60 services, and one of each choice with a replaced example."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.support.fleet import cases, next_release, year
from tests.support.fleet.cases import Case, History
from tests.support.fleet.repository import write_repository
from tests.support.fleet.story import KIND as STORY

YEAR, REPLACED = "A year of edits", "Only the example replaced"


def write_environment(cases: Sequence[Case], workspace: Path) -> None:
    """Give each service with orders a variable in the workspace, as its team does."""
    with_orders = [case for case in cases if STORY in {edit.kind for edit in case.edits}]
    environment = {case.name: {"OPEN_SECONDS": "1"} for case in with_orders}
    text = yaml.safe_dump({"environment": environment})
    (workspace / "svcgen.yaml").write_text(text, encoding="utf-8")


def draw_fleets(root: Path) -> dict[str, list[Case]]:
    """Write the template and its next release below `root`; return each fleet by its title."""
    folders = next_release.write_versions(root / "versions")
    history = History(write_repository(root / "template", folders), folders)
    edits = {YEAR: (year.SERVICES, year.edit_year), REPLACED: (8, year.edit_story)}
    return {
        title: list(cases.outdated(history, count, year.IN_TURN, edit_service))
        for title, (count, edit_service) in edits.items()
    }
