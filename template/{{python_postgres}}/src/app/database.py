"""The connection pool of PostgreSQL, its readiness check, and its transactions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from pydantic import PostgresDsn
from pydantic_settings import BaseSettings
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine


class DatabaseSettings(BaseSettings):
    """DATABASE_URL, for example postgresql://user:password@host:port/database."""

    database_url: PostgresDsn

    @property
    def database(self) -> URL:
        return make_url(str(self.database_url)).set(drivername="postgresql+psycopg")


@asynccontextmanager
async def open_database(app: FastAPI) -> AsyncIterator[None]:
    """Create the connection pool as `app.state.engine`; it connects when it is used."""
    engine = create_async_engine(
        app.state.settings.database,
        pool_size=10,
        max_overflow=0,  # extra connections would be opened and closed per request, under load
        pool_pre_ping=True,  # discards connections that the database has closed
        connect_args={"connect_timeout": 3},
    )

    async def check() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("select 1"))

    app.state.engine = engine
    app.state.readiness.checks["database"] = check
    yield
    await engine.dispose()


@asynccontextmanager
async def begin(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Begin a transaction. An unreachable database raises 503 after 4 s."""
    try:
        async with asyncio.timeout(4), engine.begin() as connection:
            yield connection
    except (TimeoutError, PoolTimeoutError, OperationalError) as error:
        raise HTTPException(503, "The database is unreachable.") from error
