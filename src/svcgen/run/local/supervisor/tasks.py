"""Background tasks of the supervisor: none ends unseen, and none ends its fleet."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
import traceback
from collections.abc import Coroutine, Iterable
from typing import Any


def background(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start a task whose error, if it ends with one, is in the supervisor's log."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_end)
    return task


def log_error(what: str, error: BaseException) -> None:
    """Write an error with its trace to the supervisor's log, also when the disk is full."""
    text = "".join(traceback.format_exception(error))
    with contextlib.suppress(OSError):
        print(f"{time.strftime('%FT%T%z')} {what}: {text}", file=sys.stderr, end="", flush=True)


async def together(jobs: Iterable[Any]) -> None:
    """Run jobs together; the first error cancels the others, and is raised when they ended."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log_error(task.get_name(), error)
