"""Staging directories, atomic writes and locks."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from svcgen.files import locked, replacing, staged, write_atomic

TIMES = 100


def make(parent: Path) -> int:
    """Stage a file again and again; return how often it was whole."""
    whole = 0
    for _ in range(TIMES):
        with staged(parent) as place:
            (place / "file").write_text("whole")
            whole += (place / "file").read_text() == "whole"
    return whole


def test_processes_do_not_remove_the_staging_directories_of_others(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        assert list(pool.map(make, [tmp_path] * 4)) == [TIMES] * 4
    assert not list(tmp_path.iterdir())


def test_a_killed_writer_leaves_nothing_to_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 60)
    with replacing(path) as temporary:
        stale = temporary.with_name(temporary.name.rpartition("-")[0] + "-999999999")
        stale.write_text("half")
        temporary.write_text("first")
    write_atomic(path, "second", 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "second"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with suppress(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text(f"half{1 // 0}")
    with suppress(FileNotFoundError), replacing(path):
        pass  # nothing was made that could replace it
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["old"]


def test_a_held_lock_is_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with locked(file, create=True), pytest.raises(BlockingIOError), locked(file, wait=False):
        pass
    with locked(tmp_path, shared=True), locked(tmp_path, shared=True, wait=False):
        pass
