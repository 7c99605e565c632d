"""Run work on many items in worker processes; one that fails does not stop the others."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from svcgen.files import write_atomic

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
    """Yield results as they come; add the items whose pool broke to `interrupted`.

    A pool that breaks ends all of its workers. Those that are at work finish their item first, and
    its result is in a file: the item is not interrupted.
    """
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool

    with tempfile.TemporaryDirectory(prefix="svcgen-") as folder:
        files = [Path(folder, str(number)) for number, _item in enumerate(items)]
        lost = []
        with ProcessPoolExecutor(workers, initializer=_end_with_parent) as pool:
            running = {
                pool.submit(_finish_item, work, item, file): (item, file)
                for item, file in zip(items, files, strict=True)
            }
            for future in as_completed(running):
                item, file = running[future]
                try:
                    yield future.result()
                except BrokenProcessPool:
                    lost.append((item, file))
                except Exception as error:
                    yield broken_off(item, f"{type(error).__name__}: {error}")
        for item, file in lost:  # now that all workers have ended
            if file.exists():
                yield pickle.loads(file.read_bytes())  # noqa: S301 (a worker of this process wrote it)
            else:
                interrupted.append(item)


def _finish_item(work: Callable[[Item], Result], item: Item, file: Path) -> Result:
    """Do the work and write its result to a file; end only then when SIGTERM came meanwhile."""
    ending = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: ending.set())
    try:
        result = work(item)
        write_atomic(file, pickle.dumps(result))
        return result
    finally:
        signal.signal(signal.SIGTERM, before)
        if ending.is_set():
            os._exit(1)


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
