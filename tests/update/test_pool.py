"""Work in processes: what fails or is killed is reported, and the rest is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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


def note(folder: str) -> str:
    """Note each start in a folder; in `killer`, kill the process when the other one is at work."""
    own, other = Path(folder), Path(folder).with_name("slow")
    own.mkdir(exist_ok=True)
    (own / str(os.getpid())).touch()
    if own.name == "killer":
        while not list(other.glob("*")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.5)
    return f"started {len(list(own.iterdir()))} times"


def test_work_in_progress_is_finished_when_another_process_is_killed(tmp_path: Path) -> None:
    """Begun again it would find its own changes, and take them for those of another run."""
    (tmp_path / "slow").mkdir()
    jobs = [str(tmp_path / name) for name in ("slow", "killer")]
    found = list(in_processes(note, jobs, lambda job, why: f"{Path(job).name}: {why}", 2))
    killed = "killer: its process was killed (out of memory?)"
    assert sorted(found) == sorted(["started 1 times", killed])


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
