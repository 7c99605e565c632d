"""`new`, `update` and `compose` killed at every change to their folder, and at random moments."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import kill_points
from tests.support.templates import git, in_git
from tests.support.updates import Make, created, made, own_cache, versions

__all__ = ["created", "made", "own_cache", "versions"]
pytestmark = pytest.mark.slow
MOMENTS = 15  # what a command changes in its folder is killed point by point


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def kills(words: list[str], within: Path, seconds: float) -> Iterator[None]:
    """Kill a command at its first change, its second, …, its last; then at random moments."""
    for number in itertools.count(1):
        if not kill_points.killed_at(number, words, within):
            assert number > 5, "nothing was killed"
            break
        yield
    for moment in kill_points.moments(MOMENTS, seconds):
        kill_points.killed_after(moment, words, within)
        yield


def test_update_is_done_or_was_never_begun(made: Make) -> None:
    orders = in_git(made())
    words = ["update"]
    seconds = kill_points.duration(words, orders)
    wanted = files(orders)
    git_reset(orders)
    for _ in kills(words, orders, seconds):
        assert kill_points.run(words, orders) == 0
        assert files(orders) == wanted
        git_reset(orders)


def test_an_update_on_a_branch_is_committed_whole_or_not_at_all(made: Make) -> None:
    orders = in_git(made())
    words = ["update", "--branch", "newer"]
    seconds = kill_points.duration(words, orders)
    wanted = files(orders)
    start_again(orders)
    for _ in kills(words, orders, seconds):
        assert kill_points.run(words, orders) == 0
        assert files(orders) == wanted
        assert git("status", "--porcelain", within=orders) == ""
        start_again(orders)


def test_a_fleet_is_put_right_by_the_next_run(made: Make, tmp_path: Path) -> None:
    """Its workers die with it: none goes on beside the next run."""
    for name in ("catalog", "orders", "stock"):
        made(name)
    in_git(tmp_path)
    words = ["update", "--all", "--branch", "newer"]
    seconds = kill_points.duration(words, tmp_path)
    wanted = files(tmp_path)
    start_again(tmp_path)
    for moment in kill_points.moments(MOMENTS, seconds):
        kill_points.killed_after(moment, words, tmp_path)
        assert kill_points.run(words, tmp_path) == 0
        assert files(tmp_path) == wanted
        assert git("status", "--porcelain", within=tmp_path) == ""
        start_again(tmp_path)


def start_again(folder: Path) -> None:
    git("checkout", "--quiet", "--force", "main", within=folder)
    git("branch", "--quiet", "--delete", "--force", "newer", within=folder)


def git_reset(folder: Path) -> None:
    git("checkout", "--quiet", "--", ".", within=folder)
    git("clean", "--quiet", "--force", "-d", within=folder)


def test_new_writes_a_whole_service_or_none(versions: Path, tmp_path: Path) -> None:
    words = ["new", "orders", "--template", str(versions), "--yes"]
    seconds = kill_points.duration(words, tmp_path)
    wanted = files(tmp_path)
    shutil.rmtree(tmp_path / "orders")
    for _ in kills(words, tmp_path, seconds):
        found = {name for name in files(tmp_path) if not name.startswith(".svcgen-new-")}
        assert found in (set(), set(wanted))
        shutil.rmtree(tmp_path / "orders", ignore_errors=True)
        assert kill_points.run(words, tmp_path) == 0
        assert files(tmp_path) == wanted
        shutil.rmtree(tmp_path / "orders")


@pytest.mark.parametrize("there", ["nothing", "an older one"])
def test_compose_is_written_or_written_again(there: str, new_service: Make, tmp_path: Path) -> None:
    root, before = tmp_path / "root", tmp_path / "before"
    new_service("orders", root)
    words = ["compose"]
    if there == "an older one":
        assert kill_points.run(words, root) == 0
        new_service("catalog", root)
    shutil.copytree(root, before)
    seconds = kill_points.duration(words, root)
    wanted = files(root)
    put_back(before, root)
    for _ in kills(words, root, seconds):
        assert kill_points.run(words, root) == 0
        assert files(root) == wanted
        put_back(before, root)


def put_back(before: Path, root: Path) -> None:
    shutil.rmtree(root)
    shutil.copytree(before, root)
