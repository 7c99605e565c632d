"""Stores items in memory: they are lost on exit and not shared between replicas."""

from uuid import UUID

from app.models import Item


class Store:
    """Items, oldest first."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._index: dict[UUID, int] = {}

    async def add(self, item: Item) -> None:
        self._index[item.id] = len(self._items)
        self._items.append(item)

    async def get(self, id: UUID) -> Item | None:
        position = self._index.get(id)
        return None if position is None else self._items[position]

    async def page(self, limit: int, after: UUID | None) -> list[Item]:
        """Return the items after the given ID. Raise KeyError if that ID is unknown."""
        first = 0 if after is None else self._index[after] + 1
        return self._items[first : first + limit]

    async def count(self) -> int:
        return len(self._items)
