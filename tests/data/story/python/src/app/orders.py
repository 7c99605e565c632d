"""Orders: each has lines, whose prices are those of products, and a status."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from uuid6 import uuid7

from app import SERVICE
from app.calls import Callee, CalleeError, Caller, callee
from app.clients.products_openapi import Item
from app.models import Id, Line, NewOrder, NewStatus, Order, OrderList, Status
from app.store import Store

PATH = f"/v1/{SERVICE}"
router = APIRouter(prefix=PATH, tags=[SERVICE])


async def get_store(request: Request) -> Store:  # async: needs no worker thread
    store: Store = request.app.state.store
    return store


Orders = Annotated[Store, Depends(get_store)]
Products = Annotated[Callee, Depends(callee("products"))]


@router.post("", status_code=201, operation_id="createOrder")
async def create_order(
    new: NewOrder,
    request: Request,
    orders: Orders,
    products: Products,
    caller: Caller,
    response: Response,
) -> Order:
    """Create an order of products that exist, at their prices."""
    limit = request.app.state.settings.max_lines
    if len(new.lines) > limit:
        raise RequestValidationError([_fault(f"An order has at most {limit} lines", "lines")])
    checks = (_check(products, caller, *each) for each in enumerate(new.lines))
    if faults := [fault for fault in await asyncio.gather(*checks) if fault]:
        raise RequestValidationError(faults)
    order = Order(
        id=uuid7(),
        status=Status.OPEN,
        lines=new.lines,
        total_cents=sum(line.quantity * line.price_cents for line in new.lines),
        created_at=datetime.now(UTC),
    )
    await orders.add(order)
    response.headers["Location"] = f"{PATH}/{order.id}"
    return order


async def _check(
    products: Callee, caller: Caller, number: int, line: Line
) -> dict[str, Any] | None:
    """Return what is wrong with a line: its product is unknown, or has another price."""
    parameters = {"id": line.product_id}
    try:
        product = await products.call(
            "GET", "/v1/products/{id}", Item, caller, parameters=parameters
        )
    except CalleeError as error:
        if error.status != 404:
            raise
        return _fault("No product has this ID", "lines", number, "product_id")
    if product.price_cents != line.price_cents:
        return _fault(f"The price is {product.price_cents}", "lines", number, "price_cents")
    return None


def _fault(message: str, *location: str | int) -> dict[str, Any]:
    return {"type": "value_error", "loc": ("body", *location), "msg": message}


@router.get("", operation_id="listOrders")
async def list_orders(orders: Orders, status: Status | None = None) -> OrderList:
    """List the newest orders, the newest first."""
    return OrderList(orders=await orders.newest(status))


@router.get("/{id}", operation_id="getOrder")
async def get_order(id: Id, orders: Orders) -> Order:
    """Get one order."""
    if order := await orders.get(id):
        return order
    raise HTTPException(404, "No order has this ID.")


@router.put("/{id}/status", operation_id="setOrderStatus")
async def set_order_status(id: Id, new: NewStatus, orders: Orders) -> Order:
    """Change the status of an open order."""
    if order := await orders.change(id, new.status):
        return order
    order = await get_order(id, orders)
    raise HTTPException(409, f"The order is {order.status}.")


async def expire(app: FastAPI) -> None:
    """Let open orders expire, once a second."""
    while True:
        with suppress(HTTPException):  # the database is unreachable: /readyz and the log report it
            await app.state.store.expire(app.state.settings.open_seconds)
        await asyncio.sleep(1)
