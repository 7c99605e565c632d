"""One API in every language: the documents of all stacks say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.repository import STACKS
from tests.support.services import PAIRS, Rendered, answers_of

OPERATIONS = {"listItems", "createItem", "getItem", "getSummary"}
SCHEMAS = {"Item", "NewItem", "ItemPage", "Summary", "Problem", "Fault"}


def document(rendered: Rendered, stack: str, database: str) -> dict[str, Any]:
    service = rendered(**answers_of((stack, database, ("catalog",))))
    read: dict[str, Any] = json.loads((service / "openapi.json").read_text(encoding="utf-8"))
    return read


def meaning(value: Any) -> Any:
    """Leave out the titles that one framework gives to members, and the order of what has none."""
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if key != "title" or isinstance(one, dict)}
        return {key: meaning(one) for key, one in kept.items()}
    if isinstance(value, list):
        return sorted((meaning(one) for one in value), key=json.dumps)
    return value


@pytest.mark.parametrize(("stack", "database"), PAIRS)
def test_every_stack_has_the_same_api(rendered: Rendered, stack: str, database: str) -> None:
    ours, first = document(rendered, stack, database), document(rendered, STACKS[0], "none")
    named = {
        operation["operationId"] for path in ours["paths"].values() for operation in path.values()
    }
    assert named == OPERATIONS
    assert set(ours["components"]["schemas"]) == SCHEMAS
    assert ours["info"]["title"] == "orders"
    assert meaning(ours) == meaning(first)
