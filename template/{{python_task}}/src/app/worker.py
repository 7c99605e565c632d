"""The example of a background task: it works every INTERVAL_SECONDS. Replace `work`."""

import asyncio
import logging
from time import perf_counter

from fastapi import FastAPI
from prometheus_client import Counter

RUNS = Counter("worker_runs", "Runs that have succeeded.")  # worker_runs_total

log = logging.getLogger(__name__)


async def work() -> int:
    """Do what is due, and return how much that was."""
    return 0


async def repeat(app: FastAPI) -> None:
    """Work until the service stops. An exception ends the service: the platform starts it again."""
    while True:
        start = perf_counter()
        done = await work()
        RUNS.inc()
        fields = {"done": done, "duration_seconds": round(perf_counter() - start, 6)}
        log.info("run", extra={"fields": fields})
        await asyncio.sleep(app.state.settings.interval_seconds)
