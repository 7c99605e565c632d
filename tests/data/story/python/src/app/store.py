"""Stores orders and their lines in PostgreSQL. The migrations create the tables."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Uuid,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.database import begin
from app.models import Line, Order, Status

LISTED = 100  # orders in one response

metadata = MetaData()
orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("status", String(20), nullable=False),
    Column("total_cents", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index("orders_by_status", "status", "created_at"),
    Index("orders_by_age", "created_at"),
)
order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("product_id", Uuid, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("price_cents", Integer, nullable=False),
)


class Store:
    """Orders, the newest first."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, order: Order) -> None:
        lines = [
            {"order_id": order.id, "position": position, **line.model_dump()}
            for position, line in enumerate(order.lines)
        ]
        row = order.model_dump(exclude={"lines"})
        async with begin(self._engine) as connection:
            await connection.execute(insert(orders).values(row))
            await connection.execute(insert(order_lines), lines)

    async def get(self, id: UUID) -> Order | None:
        async with begin(self._engine) as connection:
            return await _get(connection, id)

    async def newest(self, status: Status | None) -> list[Order]:
        """Return the newest orders: those of one status, or all."""
        query = select(orders).order_by(orders.c.created_at.desc(), orders.c.id.desc())
        if status:
            query = query.where(orders.c.status == status)
        async with begin(self._engine) as connection:
            rows = (await connection.execute(query.limit(LISTED))).all()
            return await _with_lines(connection, rows)

    async def change(self, id: UUID, status: Status) -> Order | None:
        """Return the order with its new status, or None if no order with this ID is open."""
        is_open = (orders.c.id == id) & (orders.c.status == Status.OPEN)
        async with begin(self._engine) as connection:
            changed = await connection.execute(update(orders).where(is_open).values(status=status))
            return await _get(connection, id) if changed.rowcount else None

    async def expire(self, seconds: int) -> None:
        """Mark the open orders that are older than this."""
        age = func.extract("epoch", func.now() - orders.c.created_at)
        is_old = (orders.c.status == Status.OPEN) & (age > seconds)
        async with begin(self._engine) as connection:
            await connection.execute(update(orders).where(is_old).values(status=Status.EXPIRED))


async def _get(connection: AsyncConnection, id: UUID) -> Order | None:
    rows = (await connection.execute(select(orders).where(orders.c.id == id))).all()
    found = await _with_lines(connection, rows)
    return found[0] if found else None


async def _with_lines(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[Order]:
    """Read the lines of all orders at once."""
    query = (
        select(order_lines)
        .where(order_lines.c.order_id.in_([row.id for row in rows]))
        .order_by(order_lines.c.order_id, order_lines.c.position)
    )
    lines = {
        order: [Line.model_validate(line, from_attributes=True) for line in group]
        for order, group in groupby(await connection.execute(query), lambda line: line.order_id)
    }
    return [Order(**row._mapping, lines=lines[row.id]) for row in rows]
