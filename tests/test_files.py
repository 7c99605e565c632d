"""The folder in which things are made before they move to their place."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from svcgen.files import aside

TIMES = 100


def make(parent: Path) -> int:
    """Make something aside again and again; return how often it was there in the end."""
    whole = 0
    for _ in range(TIMES):
        with aside(parent) as place:
            (place / "file").write_text("whole")
            whole += (place / "file").read_text() == "whole"
    return whole


def test_processes_beside_each_other_leave_each_other_alone(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        assert list(pool.map(make, [tmp_path] * 4)) == [TIMES] * 4
    assert not list(tmp_path.iterdir())
