"""What this service adds to the skeleton: settings, routes, resources and background tasks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from pydantic import Field

from app import config, worker
from app.tasks import Task


class Settings(config.Settings):
    """Own settings. A field is the variable of its name, in capitals."""

    interval_seconds: int = Field(60, ge=1, le=86_400)


ROUTERS: list[APIRouter] = []
# Coroutine functions that run beside the server: `async def refresh(app: FastAPI) -> None`.
TASKS: list[Task] = [worker.repeat]


@asynccontextmanager
async def open_resources(_: FastAPI) -> AsyncIterator[None]:
    """Open what routes and tasks use, as attributes of `app.state`; close it after `yield`.

    A function in `app.state.readiness.checks[NAME]` makes /readyz depend on it.
    """
    yield
