"""A service of an old release, updated to the template as it stands, is as a new one is.

Its managed files are those of a new service. Of the releases the first, the last and one drawn
between them; the draw is the same until there is a new release. A service of the first release has
the oldest files of its own: it is built, tested and put to the contract.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path
from random import Random

import pathspec
import pytest

from svcgen.contract.suite import run_checks
from svcgen.contract.targets.process import ProcessTarget
from svcgen.render.render import render_version, seeded_patterns
from svcgen.templates.sources import open_source
from tests.support.checkout import environment_of
from tests.support.contract_checks import (
    OF_A_DATABASE,
    SMOKE,
    STOPPED,
    asked_of_one_service,
)
from tests.support.fleet import tree as trees
from tests.support.fleet.repository import commit_all
from tests.support.repository import STACKS, STACKS_HERE
from tests.support.run import svcgen
from tests.support.services import Rendered

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local")]
ANSWERS = {"name": "orders", "database": "postgres", "calls": ["order-items"]}

# Its owner's files are routes, store, migrations and calls. Settings, signals and exporters are
# managed, so those of a new service, which tests/contract/ asks all.
ASKED = asked_of_one_service(*SMOKE, *STOPPED, *OF_A_DATABASE)
# A new service keeps these in items.go, which belongs to the owner of an older one.
OF_SEEDED = {"go": {"query-integer", "query-repeated"}}


def drawn() -> list[str]:
    """Return the first release, one between, and the last; each once."""
    releases = open_source().versions()
    between = releases[1:-1]
    draw = Random(releases[-1]) if releases else Random()
    chosen = {*releases[:1], *releases[-1:], *([draw.choice(between)] if between else [])}
    return [release for release in releases if release in chosen]


CASES = list(product(STACKS, drawn()))


def test_there_are_releases_to_upgrade_from() -> None:
    assert drawn(), "src/svcgen/releases.bundle holds no release: make release VERSION=…"


@pytest.mark.parametrize(("stack", "release"), CASES)
def test_the_managed_files_of_an_upgraded_service_are_those_of_a_new_one(
    stack: str, release: str, rendered: Rendered, tmp_path: Path
) -> None:
    answers = {**ANSWERS, "stack": stack}
    patterns = seeded_patterns(open_source().obtain(), answers)
    seeded = pathspec.PathSpec.from_lines("gitignore", patterns)
    upgraded_files, new_files = (
        {path: file for path, file in trees.read(folder).items() if not seeded.match_file(path)}
        for folder in (upgraded(tmp_path / "shop", stack, release), rendered(**answers))
    )
    assert upgraded_files == new_files


@pytest.mark.parametrize("stack", STACKS_HERE)
def test_an_upgraded_service_builds_and_keeps_the_contract(
    stack: str, tmp_path: Path, postgres: Callable[[str], str]
) -> None:
    folder = upgraded(tmp_path / "shop", stack, drawn()[0])
    environment = environment_of(stack, DATABASE_URL=postgres(f"make-{stack}"))
    make(folder, environment, "migrate")
    begun = make(folder, environment, "migration", "NAME=add_price").strip()
    assert re.fullmatch(r".*0002__?add_price\.(sql|py)", begun)
    assert (folder / begun).is_file()
    make(folder, environment, "migrate", "lint", "test")
    checks = [check for check in ASKED if check.name not in OF_SEEDED.get(stack, ())]
    found = run_checks(ProcessTarget(folder), postgres(f"contract-{stack}"), checks)
    assert {one.check.name: one.detail for one in found if one.ok is False} == {}


def upgraded(workspace: Path, stack: str, release: str) -> Path:
    """Make a service of a release, in a repository, and let `svcgen update` do the rest."""
    version = open_source().obtain(release)
    folder = render_version(version, workspace / "orders", {**ANSWERS, "stack": stack})
    commit_all(workspace, "made")
    done = svcgen("update", within=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    recorded = (folder / ".copier-answers.yml").read_text(encoding="utf-8")
    assert f"_commit: {open_source().obtain().name}\n" in recorded
    return folder


def make(folder: Path, environment: dict[str, str], *targets: str) -> str:
    done = subprocess.run(
        ["make", "-s", *targets], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
