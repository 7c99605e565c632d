"""Where items are kept: in memory, so they are gone with the process and no replica shares them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from pydantic_settings import BaseSettings

from app.models import Item


class StoreSettings(BaseSettings):
    """Memory needs no settings."""


class Store:
    """Items, oldest first."""

    def __init__(self) -> None:
        self.checks: dict[str, Callable[[], Awaitable[None]]] = {}  # memory is always there
        self._items: list[Item] = []
        self._places: dict[UUID, int] = {}

    async def add(self, item: Item) -> None:
        self._places[item.id] = len(self._items)
        self._items.append(item)

    async def get(self, id: UUID) -> Item | None:
        place = self._places.get(id)
        return None if place is None else self._items[place]

    async def page(self, limit: int, after: UUID | None) -> list[Item]:
        """Return the items that follow one. Raises KeyError when that one is unknown."""
        first = 0 if after is None else self._places[after] + 1
        return self._items[first : first + limit]

    async def count(self) -> int:
        return len(self._items)


@asynccontextmanager
async def open_store(_: StoreSettings) -> AsyncIterator[Store]:
    yield Store()
