"""Background tasks: they run beside the server, from startup until the last request is answered."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI

Task = Callable[[FastAPI], Coroutine[Any, Any, None]]
GRACE = 5.0  # seconds for cancelled tasks; the chart's grace period includes them

log = logging.getLogger(__name__)


async def run(task: Task, app: FastAPI) -> None:
    """Run a task. If it fails, stop the service with exit code 1: it would serve without it."""
    try:
        await task(app)
    except Exception:
        log.exception("background task %s failed", getattr(task, "__name__", task))
        app.state.exit_code = 1
        if not app.state.readiness.stopping:
            signal.raise_signal(signal.SIGTERM)


async def cancel(running: list[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=GRACE)
