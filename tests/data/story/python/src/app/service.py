"""What this service adds to the skeleton: settings, routes, resources and background tasks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from pydantic import Field

from app import config, orders
from app.store import Store, metadata
from app.tasks import Task


class Settings(config.Settings):
    """Own settings: MAX_LINES and OPEN_SECONDS."""

    max_lines: int = Field(20, ge=1, le=1000)
    open_seconds: int = Field(86_400, ge=1)


ROUTERS: list[APIRouter] = [orders.router]
TASKS: list[Task] = [orders.expire]
# `make migration` compares them with the database.
TABLES = metadata


@asynccontextmanager
async def open_resources(app: FastAPI) -> AsyncIterator[None]:
    """Open what routes and tasks use, as attributes of `app.state`; close it after `yield`."""
    app.state.store = Store(app.state.engine)
    yield
