"""Every choice of answers is written as its own language's checkers want it.

Each stack's own tests ask this of two of its six choices, with the longest and the shortest names;
here are the other four.
"""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest

from tests.support.checkout import Checkout, environment_of
from tests.support.repository import STACKS_HERE
from tests.support.services import Rendered, answers_of, copied

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local")]
ONE, TWO = ["catalog"], ["order-items", "catalog"]
CHOICES: list[tuple[str, list[str]]] = [
    *(("none", calls) for calls in ([], ONE)),
    *(("postgres", calls) for calls in ([], TWO)),
]
# What a choice's lint installs or notes, and the next one can use: each tool sees what is stale.
HANDED_ON = (".venv", ".mypy_cache", "node_modules")


@pytest.fixture(scope="module")
def handed_on(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one choice leaves its packages for the next."""
    return tmp_path_factory.mktemp("handed-on")


@pytest.mark.parametrize(("database", "calls"), CHOICES, ids=str)
@pytest.mark.parametrize("stack", STACKS_HERE)
def test_lint_is_silent(
    rendered: Rendered,
    stack: str,
    database: str,
    calls: list[str],
    tmp_path: Path,
    handed_on: Path,
) -> None:
    answers = answers_of((stack, database, tuple(calls)))
    folder = copied(rendered(**answers), tmp_path / "orders")
    move(handed_on, folder)
    found = environment_of(stack)
    uv = sysconfig.get_path("scripts")  # last, as `svcgen up` has it
    path = os.pathsep.join([found["PATH"], uv])
    linted = Checkout(folder, {**found, "PATH": path}, rendered={}, timeout=300)
    assert linted.succeed("lint") == ""
    move(folder, handed_on)


def move(source: Path, target: Path) -> None:
    for name in HANDED_ON:
        if (source / name).exists():
            (source / name).rename(target / name)
