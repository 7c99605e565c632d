"""The reference service's OpenAPI document."""

from __future__ import annotations

from typing import Any

from tests.contract.reference.settings import NAME, broken

SCHEMAS = ("Item", "NewItem", "ItemPage", "Summary", "Problem")


def document() -> dict[str, Any]:
    """Describe the service; `openapi.json` in its folder is this of the unbroken one."""
    path = f"/v1/{NAME}"
    return {
        "openapi": "3.0.3" if broken("openapi") else "3.1.0",
        "info": {"title": NAME, "version": "2" if broken("openapi-committed") else "1"},
        "paths": {
            path: {"get": operation("listItems"), "post": operation("createItem")},
            f"{path}/{{id}}": {"get": operation("getItem")},
            f"{path}/summary": {"get": operation("getSummary")},
        },
        "components": {"schemas": {name: {"type": "object"} for name in SCHEMAS}},
    }


def operation(name: str) -> dict[str, Any]:
    kind = "application/json" if broken("openapi-problems") else "application/problem+json"
    return {"operationId": name, "responses": {"422": {"content": {kind: {}}}}}
