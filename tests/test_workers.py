"""Work in processes: what fails or is killed is told, and the rest is done."""

from __future__ import annotations

import os
import signal

from svcgen.commands.workers import in_processes


def halve(number: int) -> str:
    """Halve a number; 0 kills its process, and an odd one is refused."""
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if number % 2:
        raise ValueError("odd")
    return str(number // 2)


def test_each_job_has_one_result_whatever_becomes_of_its_process() -> None:
    found = in_processes(halve, [0, 1, 2, 4, 6, 8], lambda number, why: f"{number}: {why}", 2)
    killed = "0: its process was killed (out of memory?)"
    assert sorted(found) == sorted(["1", "2", "3", "4", "1: ValueError: odd", killed])
