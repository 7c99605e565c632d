"""Copier itself renders the template, by pytest-copie: all stacks and databases, all refusals."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pytest_copie.plugin import Copie

from tests.support.repository import REPOSITORY
from tests.support.services import COVERING, Choice, Rendered, answers_of, tree

GIT = ("git", "-c", "user.name=somebody", "-c", "user.email=somebody@example.com")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with nothing but the template as it stands here: a dirty checkout is slow."""
    folder = tmp_path_factory.mktemp("exported")
    ignore = shutil.ignore_patterns("__pycache__", ".venv", ".*_cache")
    shutil.copytree(REPOSITORY / "template", folder / "template", ignore=ignore)
    shutil.copy(REPOSITORY / "copier.yml", folder)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "the template"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("choice", COVERING, ids=str)
def test_copier_and_svcgen_write_the_same(
    copie: Copie, exported: Path, rendered: Rendered, choice: Choice
) -> None:
    answers = answers_of(choice)
    result = copie.copy(extra_answers=answers, template_dir=exported)
    assert result.exception is None
    assert result.project_dir
    theirs, ours = tree(result.project_dir), tree(rendered(**answers))
    assert {name: ours[name] for name in ours if name != ".copier-answers.yml"} == {
        name: theirs[name] for name in theirs if name != ".copier-answers.yml"
    }


@pytest.mark.parametrize(
    "answers",
    [
        {"name": "Orders"},
        {"name": "orders-db"},
        {"name": "orders", "calls": ["orders"]},
        {"name": "orders", "registry": "ghcr.io/acme/"},
        {"name": "orders", "owner": "two\nlines"},
    ],
    ids=lambda answers: next(reversed(answers)),
)
def test_copier_refuses_what_svcgen_refuses(
    copie: Copie, exported: Path, answers: dict[str, Any]
) -> None:
    result = copie.copy(extra_answers=answers, template_dir=exported)
    assert "example" in str(result.exception)
