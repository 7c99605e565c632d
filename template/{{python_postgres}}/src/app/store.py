"""Stores items in one PostgreSQL table, which the migrations create."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from fastapi import HTTPException
from pydantic import PostgresDsn
from pydantic_settings import BaseSettings
from sqlalchemy import (
    Column,
    DateTime,
    Index,
    MetaData,
    String,
    Table,
    Uuid,
    func,
    insert,
    select,
    text,
    tuple_,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.models import Item

metadata = MetaData()
items = Table(
    "items",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index("items_by_age", "created_at", "id"),
)
by_age = tuple_(items.c.created_at, items.c.id)


class StoreSettings(BaseSettings):
    """DATABASE_URL, for example postgresql://user:password@host:port/database."""

    database_url: PostgresDsn

    @property
    def database(self) -> URL:
        return make_url(str(self.database_url)).set(drivername="postgresql+psycopg")


class Store:
    """Items, oldest first."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.checks: dict[str, Callable[[], Awaitable[None]]] = {"database": self._check}
        self._engine = engine

    async def add(self, item: Item) -> None:
        async with self._connection() as connection:
            await connection.execute(insert(items).values(item.model_dump()))

    async def get(self, id: UUID) -> Item | None:
        async with self._connection() as connection:
            row = (await connection.execute(select(items).where(items.c.id == id))).first()
        return Item.model_validate(row, from_attributes=True) if row else None

    async def page(self, limit: int, after: UUID | None) -> list[Item]:
        """Return the items after the given ID. Raise LookupError if that ID is unknown."""
        query = select(items).order_by(items.c.created_at, items.c.id).limit(limit)
        async with self._connection() as connection:
            if after:
                last = select(items.c.created_at, items.c.id).where(items.c.id == after)
                found = (await connection.execute(last)).first()
                if not found:
                    raise LookupError(after)
                query = query.where(by_age > tuple_(*found))
            rows = await connection.execute(query)
            return [Item.model_validate(row, from_attributes=True) for row in rows]

    async def count(self) -> int:
        async with self._connection() as connection:
            return await connection.scalar(select(func.count()).select_from(items)) or 0

    async def _check(self) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text("select 1"))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction. An unreachable database raises 503 after 4 s."""
        try:
            async with asyncio.timeout(4), self._engine.begin() as connection:
                yield connection
        except (TimeoutError, PoolTimeoutError, OperationalError) as error:
            raise HTTPException(503, "The database is unreachable.") from error


@asynccontextmanager
async def open_store(settings: StoreSettings) -> AsyncIterator[Store]:
    engine = create_async_engine(
        settings.database,
        pool_size=10,
        max_overflow=0,  # extra connections would be opened and closed per request, under load
        pool_pre_ping=True,  # discards connections that the database has closed
        connect_args={"connect_timeout": 3},
    )
    yield Store(engine)
    await engine.dispose()
