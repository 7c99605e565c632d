"""Request and response bodies; the OpenAPI document is generated from them."""

from datetime import UTC
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]


def _canonical(id: Any) -> Any:
    if isinstance(id, str) and len(id) != len("00000000-0000-0000-0000-000000000000"):
        raise ValueError("must have the form of RFC 9562, with its dashes")
    return id


Id = Annotated[UUID, BeforeValidator(_canonical)]


class NewItem(BaseModel):
    """What a client sends to create an item."""

    model_config = ConfigDict(extra="forbid")  # a misspelt member would be ignored

    name: str = Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        examples=["first"],
        description="Any text without control characters.",
    )


class Item(NewItem):
    """An item as it is kept."""

    id: UUID
    created_at: UtcTime


class ItemPage(BaseModel):
    """Some items, oldest first, and the cursor of the page that follows; null on the last one."""

    items: list[Item]
    next: str | None


class Summary(BaseModel):
    """How many items there are, here and in each called service."""

    model_config = ConfigDict(extra="allow")  # a newer version of a called service may add members

    service: str
    items: int
    calls: dict[str, "Summary | None"]
