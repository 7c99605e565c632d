"""Stores items in one PostgreSQL table, which the migrations create."""

from uuid import UUID

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
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from app.database import begin
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


class Store:
    """Items, oldest first."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, item: Item) -> None:
        async with begin(self._engine) as connection:
            await connection.execute(insert(items).values(item.model_dump()))

    async def get(self, id: UUID) -> Item | None:
        async with begin(self._engine) as connection:
            row = (await connection.execute(select(items).where(items.c.id == id))).first()
        return Item.model_validate(row, from_attributes=True) if row else None

    async def page(self, limit: int, after: UUID | None) -> list[Item]:
        """Return the items after the given ID. Raise LookupError if that ID is unknown."""
        query = select(items).order_by(items.c.created_at, items.c.id).limit(limit)
        async with begin(self._engine) as connection:
            if after:
                last = select(items.c.created_at, items.c.id).where(items.c.id == after)
                found = (await connection.execute(last)).first()
                if not found:
                    raise LookupError(after)
                query = query.where(by_age > tuple_(*found))
            rows = await connection.execute(query)
            return [Item.model_validate(row, from_attributes=True) for row in rows]

    async def count(self) -> int:
        async with begin(self._engine) as connection:
            return await connection.scalar(select(func.count()).select_from(items)) or 0
