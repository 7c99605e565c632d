"""Request and response bodies; the OpenAPI document is generated from them."""

from datetime import UTC
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]


def _canonical(id: Any) -> Any:
    if isinstance(id, str) and len(id) != len("00000000-0000-0000-0000-000000000000"):
        raise ValueError("must have the form of RFC 9562, with its dashes")
    return id


Id = Annotated[UUID, BeforeValidator(_canonical)]


class Status(StrEnum):
    """Where an order is: open until it is paid or expires."""

    OPEN = "open"
    PAID = "paid"
    EXPIRED = "expired"


class Line(BaseModel):
    """Some pieces of one product, and the price of one piece."""

    model_config = ConfigDict(extra="forbid")  # a misspelt member would be ignored

    product_id: Id
    quantity: int = Field(ge=1, le=1000)
    price_cents: int = Field(ge=0, le=100_000_000)


class NewOrder(BaseModel):
    """What a client sends to create an order."""

    model_config = ConfigDict(extra="forbid")

    lines: list[Line] = Field(min_length=1)


class NewStatus(BaseModel):
    """What a client sends to change the status of an order."""

    model_config = ConfigDict(extra="forbid")

    status: Literal[Status.PAID]


class Order(BaseModel):
    """An order as it is kept."""

    id: Id
    status: Status
    lines: list[Line]
    total_cents: int
    created_at: UtcTime


class OrderList(BaseModel):
    """The newest orders, the newest first."""

    orders: list[Order]
