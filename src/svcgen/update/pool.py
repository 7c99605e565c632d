"""Work on many services at once, each in a process: one that fails takes no other one along."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_processes(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    broken_off: Callable[[Job, str], Result],
    workers: int | None = None,
) -> Iterator[Result]:
    """Yield what the work on each job returned, as it comes; on one processor each by default.

    `broken_off` makes the result of a job whose work raised something or whose process was killed;
    it is told which.
    """
    broken: list[Job] = []
    at_once = min(workers or os.cpu_count() or 1, len(jobs) or 1)
    yield from _pooled(work, jobs, broken_off, at_once, broken)
    for job in broken:  # one has killed its process, and with it the pool: each has its own now
        killers: list[Job] = []
        yield from _pooled(work, [job], broken_off, 1, killers)
        for killer in killers:
            yield broken_off(killer, "its process was killed (out of memory?)")


def _pooled(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    broken_off: Callable[[Job, str], Result],
    workers: int,
    broken: list[Job],
) -> Iterator[Result]:
    """Yield results as they come; jobs whose pool broke are added to `broken`."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool

    with ProcessPoolExecutor(workers, initializer=_end_with_parent) as pool:
        running = {pool.submit(work, job): job for job in jobs}
        for future in as_completed(running):
            try:
                yield future.result()
            except BrokenProcessPool:
                broken.append(running[future])
            except Exception as error:
                yield broken_off(running[future], f"{type(error).__name__}: {error}")


def _end_with_parent() -> None:
    """Let a worker die with the run that began it: nobody takes what it does, and another run may.

    What it leaves half-done is put back as after any kill.
    """
    threading.Thread(target=_watch_parent, daemon=True).start()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
