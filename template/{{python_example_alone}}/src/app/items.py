"""The example resource. Replace it with your own."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from app import SERVICE
from app.models import Id, Item, ItemPage, NewItem, Summary
from app.store import Store

PATH = f"/v1/{SERVICE}"
router = APIRouter(prefix=PATH, tags=[SERVICE])


async def get_store(request: Request) -> Store:  # async: needs no worker thread
    store: Store = request.app.state.store
    return store


Items = Annotated[Store, Depends(get_store)]


@router.post("", status_code=201, operation_id="createItem")
async def create_item(new: NewItem, items: Items, response: Response) -> Item:
    """Create an item."""
    item = Item(name=new.name, id=uuid4(), created_at=datetime.now(UTC))
    await items.add(item)
    response.headers["Location"] = f"{PATH}/{item.id}"
    return item


@router.get("", operation_id="listItems")
async def list_items(
    items: Items,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Id | None = None,
) -> ItemPage:
    """List the items, oldest first."""
    try:
        page = await items.page(limit + 1, cursor)
    except LookupError as error:
        unknown = {"type": "value_error", "loc": ("query", "cursor"), "msg": "Unknown cursor"}
        raise RequestValidationError([unknown]) from error
    more = len(page) > limit
    return ItemPage(items=page[:limit], next=str(page[limit - 1].id) if more else None)


@router.get("/summary", operation_id="getSummary")
async def get_summary(
    items: Items,
    depth: Annotated[int, Query(ge=0, le=8)] = 1,  # noqa: ARG001 (this service calls none)
) -> Summary:
    """Count the items here and, `depth` calls deep, in the services that this one calls."""
    return Summary(service=SERVICE, items=await items.count(), calls={})


@router.get("/{id}", operation_id="getItem")
async def get_item(id: Id, items: Items) -> Item:
    """Get one item."""
    if item := await items.get(id):
        return item
    raise HTTPException(404, "No item has this id.")
