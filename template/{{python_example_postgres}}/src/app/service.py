"""What this service adds to the skeleton: settings, routes, resources, tasks and jobs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from app import config, items
from app.store import Store, metadata
from app.tasks import Task


class Settings(config.Settings):
    """Own settings. For example, a field `page_size: int = 20` is the variable PAGE_SIZE."""


ROUTERS: list[APIRouter] = [items.router]
# Coroutine functions that run beside the server: `async def refresh(app: FastAPI) -> None`.
TASKS: list[Task] = []
# Such functions that run once: `python -m app NAME`, for example in a scheduled job.
JOBS: dict[str, Task] = {}
# `make migration` compares them with the database.
TABLES = metadata


@asynccontextmanager
async def open_resources(app: FastAPI) -> AsyncIterator[None]:
    """Open what routes and tasks use, as attributes of `app.state`; close it after `yield`.

    A function in `app.state.readiness.checks[NAME]` makes /readyz depend on it.
    """
    app.state.store = Store(app.state.engine)
    yield
