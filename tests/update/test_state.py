"""An update in progress belongs to its branch and its files: nothing newer is ever undone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.run import answered, svcgen
from tests.support.templates import commit, git, in_git, write
from tests.support.updates import Make, created, made, own_cache, text, versions

__all__ = ["created", "made", "own_cache", "versions"]


@pytest.fixture
def conflicted(made: Make) -> Path:
    """Return a service whose update has met an edit of the Dockerfile."""
    return conflict(in_git(made()))


def conflict(orders: Path, *words: str) -> Path:
    write(orders, {"Dockerfile": text(orders, "Dockerfile").replace("CMD one", "CMD mine")})
    commit(orders)
    assert svcgen("update", *words, within=orders).returncode == 3
    return orders


def version(folder: Path) -> str:
    return str(yaml.safe_load(text(folder, ".copier-answers.yml"))["_commit"])


def status(folder: Path) -> list[str]:
    return git("status", "--porcelain", within=folder).splitlines()


def test_abort_keeps_what_was_done_after_the_update_was_dropped(conflicted: Path) -> None:
    git("reset", "--quiet", "--hard", within=conflicted)
    write(conflicted, {"Dockerfile": "FROM scratch\nCMD a week of work\n"})
    commit(conflicted)
    today = "FROM scratch\nCMD a week of work\nUSER today\n"
    write(conflicted, {"Dockerfile": today})
    assert answered(svcgen("update", "--abort", "--json", within=conflicted))
    assert text(conflicted, "Dockerfile") == today
    assert version(conflicted) == "v1.0.0"
    commit(conflicted)
    assert svcgen("update", within=conflicted).returncode == 3, "nothing is in the way of the next"


def test_abort_refuses_to_replace_edits_beside_the_update(conflicted: Path) -> None:
    write(conflicted, {"pyproject.toml": "[project]\nname = 'mine'\n"})
    done = svcgen("update", "--abort", within=conflicted)
    assert done.returncode == 1
    assert "newer edits in pyproject.toml" in done.stderr
    assert "svcgen update orders --abort --force" in done.stderr
    assert version(conflicted) == "v1.1.0", "nothing has changed"
    assert svcgen("update", "--abort", "--force", within=conflicted).returncode == 0
    assert status(conflicted) == []


@pytest.mark.parametrize(
    "resolved",
    ["FROM scratch\n\nUSER 65532\n\nCOPY . /\n\nCMD two\n", None],
    ids=["with the lines of one side", "not at all"],
)
def test_abort_undoes_an_update_whatever_is_resolved(conflicted: Path, resolved: str) -> None:
    if resolved:
        write(conflicted, {"Dockerfile": resolved})
    assert svcgen("update", "--abort", within=conflicted).returncode == 0
    assert status(conflicted) == []


@pytest.mark.parametrize("dropped", ["reset", "stash"])
def test_continue_needs_the_update_in_the_files(conflicted: Path, dropped: str) -> None:
    git("add", "--all", within=conflicted)
    git(*{"reset": ("reset", "--quiet", "--hard"), "stash": ("stash",)}[dropped], within=conflicted)
    done = svcgen("update", "--continue", within=conflicted)
    assert done.returncode == 1
    assert "is no longer in its files" in done.stderr
    assert "--abort" in done.stderr


def test_continue_commits_on_the_branch_of_the_update(made: Make) -> None:
    orders = conflict(in_git(made()), "--branch", "newer")
    write(orders, {"Dockerfile": "CMD both\n"})
    git("add", "--all", within=orders)
    git("switch", "--quiet", "main", within=orders)
    done = svcgen("update", "--continue", within=orders)
    assert done.returncode == 1
    assert "is on the branch newer, and main is checked out" in done.stderr
    git("switch", "--quiet", "newer", within=orders)
    assert svcgen("update", "--continue", within=orders).returncode == 0
    assert git("log", "--format=%s", "main..newer", within=orders).startswith("Update orders")
    assert status(orders) == []


def test_a_conflict_is_an_unmerged_path_of_the_index(conflicted: Path) -> None:
    assert "UU Dockerfile" in status(conflicted)
    stages = git("ls-files", "--unmerged", within=conflicted).splitlines()
    contents = [git("cat-file", "-p", line.split()[1], within=conflicted) for line in stages]
    assert [content.splitlines()[-1] for content in contents] == ["CMD one", "CMD mine", "CMD two"]
    write(conflicted, {"Dockerfile": "CMD both\n"})
    assert svcgen("update", "--continue", within=conflicted).returncode == 0
    assert " M Dockerfile" in status(conflicted)


def test_clean_services_are_committed_beside_unmerged_ones(made: Make, tmp_path: Path) -> None:
    orders, stock = made("orders"), made("stock")
    in_git(tmp_path)
    write(orders, {"Dockerfile": text(orders, "Dockerfile").replace("CMD one", "CMD mine")})
    commit(tmp_path)
    assert svcgen("update", "orders", within=tmp_path).returncode == 3
    done = svcgen("update", "stock", "--commit", within=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "UU orders/Dockerfile" in status(tmp_path)
    assert not [line for line in status(tmp_path) if "stock" in line]
    assert version(stock) == "v1.1.0"


def test_committed_conflict_markers_are_named(conflicted: Path) -> None:
    git("commit", "--all", "--quiet", "--message=too early", within=conflicted)
    svcgen("update", "--continue", within=conflicted)
    for words in (("list",), ("list", "--outdated"), ("drift",), ("routes",)):
        done = svcgen(*words, within=conflicted)
        assert "orders/Dockerfile" in done.stderr, words
        assert "conflict markers" in done.stderr, words
    git("clone", "--quiet", conflicted, conflicted.parent / "clone", within=conflicted)
    done = svcgen("update", within=conflicted.parent / "clone")
    assert done.returncode == 1
    assert "Dockerfile has conflict markers" in done.stderr
    fixed = svcgen("drift", "--fix", within=conflicted.parent / "clone")
    assert fixed.returncode != 0
    assert "CMD mine" in text(conflicted.parent / "clone", "Dockerfile")
