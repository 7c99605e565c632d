"""Run work on many items in worker processes; one that fails does not stop the others."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_processes(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    broken_off: Callable[[Item, str], Result],
    workers: int | None = None,
) -> Iterator[Result]:
    """Yield the result of the work on each item as it comes; by default one worker a processor.

    `broken_off` makes the result of an item, from the reason, when its work raised an exception or
    its process was killed.
    """
    interrupted: list[Item] = []
    count = min(workers or os.cpu_count() or 1, len(items) or 1)
    yield from _run_pool(work, items, broken_off, count, interrupted)
    for item in interrupted:  # one of these killed the pool: each gets its own process now
        killers: list[Item] = []
        yield from _run_pool(work, [item], broken_off, 1, killers)
        for killer in killers:
            yield broken_off(killer, "its process was killed (out of memory?)")


def _run_pool(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    broken_off: Callable[[Item, str], Result],
    workers: int,
    interrupted: list[Item],
) -> Iterator[Result]:
    """Yield results as they come; add the items whose pool broke to `interrupted`."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool

    with ProcessPoolExecutor(workers, initializer=_end_with_parent) as pool:
        running = {pool.submit(work, item): item for item in items}
        for future in as_completed(running):
            try:
                yield future.result()
            except BrokenProcessPool:
                interrupted.append(running[future])
            except Exception as error:
                yield broken_off(running[future], f"{type(error).__name__}: {error}")


def _end_with_parent() -> None:
    """End this worker when its parent ends: the next run would work on the same services.

    The next run undoes what the worker leaves half-done, as after any kill.
    """
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
