"""A service of an old release, updated to the template as it stands, builds and keeps the contract.

Of the releases the first, the last and one drawn between them; the draw is the same until there is
a new release. Releases that lead to the same files need no second build.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from random import Random

import pytest

from svcgen.contract.targets.process import ProcessTarget
from svcgen.contract.suite import run_checks
from svcgen.render.render import render_version
from svcgen.templates.sources import open_source
from tests.support.repository import STACKS
from tests.support.fleet import tree as trees
from tests.support.fleet.repository import commit_all
from tests.support.run import svcgen
from tests.support.checkout import environment_of

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local")]
ANSWERS = {"name": "orders", "database": "postgres", "calls": ["order-items"]}
_PASSED: set[str] = set()


def drawn() -> list[str]:
    """Return the first release, one between, and the last; each once."""
    releases = open_source().versions()
    between = releases[1:-1]
    draw = Random(releases[-1]) if releases else Random()
    chosen = {*releases[:1], *releases[-1:], *([draw.choice(between)] if between else [])}
    return [release for release in releases if release in chosen]


CASES = [
    pytest.param(stack, release, marks=pytest.mark.needs(stack))
    for stack, release in product(STACKS, drawn())
]


def test_there_are_releases_to_upgrade_from() -> None:
    assert drawn(), "src/svcgen/releases.bundle holds no release: make release VERSION=…"


@pytest.mark.parametrize(("stack", "release"), CASES)
def test_an_upgraded_service_builds_and_keeps_the_contract(
    stack: str, release: str, tmp_path: Path, postgres: Callable[[str], str]
) -> None:
    folder = upgraded(tmp_path / "shop", stack, release)
    same = digest(folder)
    if same not in _PASSED:
        environment = environment_of(stack, DATABASE_URL=postgres(f"make-{stack}-{release}"))
        make(folder, environment, "lint", "test")
        found = run_checks(ProcessTarget(folder), postgres(f"contract-{stack}-{release}"))
        assert {one.check.name: one.detail for one in found if one.ok is False} == {}
        _PASSED.add(same)


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


def digest(folder: Path) -> str:
    files = sorted(trees.read(folder).items())
    return hashlib.sha256(repr(files).encode()).hexdigest()


def make(folder: Path, environment: dict[str, str], *targets: str) -> None:
    done = subprocess.run(
        ["make", "-s", *targets], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
