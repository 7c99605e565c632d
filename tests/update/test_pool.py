"""Work in processes: what fails or is killed is reported, and the rest is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from svcgen.update.pool import in_processes


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


KILLED = """
import os, signal, time
from svcgen.update.pool import in_processes

def work(number):
    if number == 0:
        os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)

list(in_processes(work, [0, 1, 2], lambda job, why: None, 2))
"""


def test_workers_end_with_the_run_that_was_killed() -> None:
    """They would go on with what is left, beside the next run, and then wait for ever."""
    run = subprocess.Popen([sys.executable, "-c", KILLED], start_new_session=True)
    assert run.wait() == -signal.SIGKILL
    until = time.monotonic() + 10
    while is_there(run.pid) and time.monotonic() < until:
        time.sleep(0.05)
    left = is_there(run.pid)
    if left:
        os.killpg(run.pid, signal.SIGKILL)
    assert not left


def is_there(session: int) -> bool:
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return False
    return True
