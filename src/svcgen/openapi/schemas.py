"""Schemas of OpenAPI 3.0 and 3.1 in one plain form, in which two of them can be compared.

See JSON Schema, https://json-schema.org/draft/2020-12. `not`, `if` and `patternProperties`, which
cannot be compared in general, are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]

ANY: Mapping[str, Any] = {}
TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_COMBINED = {"$ref", "allOf", "anyOf", "oneOf"}
_LIMIT = 64  # steps of a reference, alternatives of a schema; the rest is ignored


def alternatives(
    document: Document, schema: Any, within: frozenset[int] = frozenset()
) -> list[dict[str, Any]]:
    """Return a schema as alternatives of one type each, without references and combinations."""
    found = []
    for each in _alternatives(document, schema, within):
        types = types_of(each)
        distinct = types - {"integer"} if "number" in types else types
        if types == TYPES or len(distinct) <= 1:
            found.append(each)
        else:
            found += [{**each, "type": kind, "nullable": False} for kind in sorted(distinct)]
    return found


def _alternatives(document: Document, schema: Any, within: frozenset[int]) -> list[dict[str, Any]]:
    if schema is False:
        return []
    if not isinstance(schema, dict) or id(schema) in within:
        return [{}]
    inside = within | {id(schema)}
    found = [{key: value for key, value in schema.items() if key not in _COMBINED}]
    targets = [resolve(document, schema)] if "$ref" in schema else []
    for part in [*targets, *listed(schema, "allOf")]:
        found = _both(found, _alternatives(document, part, inside))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            every = (_alternatives(document, part, inside) for part in listed(schema, key))
            found = _both(found, [alternative for each in every for alternative in each])
    return found


def resolve(document: Document, value: Any) -> Any:
    """Follow a reference within its document (RFC 6901); None when the target does not exist."""
    for _ in range(_LIMIT):
        reference = value.get("$ref") if isinstance(value, dict) else None
        if not isinstance(reference, str):
            return value
        value = document
        for step in reference.removeprefix("#/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            value = value.get(name) if isinstance(value, dict) else None
    return None


def types_of(schema: Mapping[str, Any]) -> frozenset[str]:
    """Return the types that a value may have; integers are numbers."""
    declared, values = schema.get("type"), values_of(schema)
    if isinstance(declared, str):
        found = {declared}
    elif isinstance(declared, list):
        found = {name for name in declared if isinstance(name, str)}
    elif values is not None:
        found = {_type(value) for value in values}
    else:
        return frozenset({"object"}) if "properties" in schema else TYPES
    null = {"null"} if schema.get("nullable") is True else set()  # OpenAPI 3.0
    return frozenset(found | null | ({"integer"} if "number" in found else set()))


def values_of(schema: Mapping[str, Any]) -> list[Any] | None:
    """Return the only values that a schema allows; None when it does not list them."""
    if "const" in schema:
        return [schema["const"]]
    return listed(schema, "enum") if "enum" in schema else None


def mapped(part: Any, key: str) -> dict[str, Any]:
    """Return the map at a key; an empty one when the key has another type of value."""
    value = part.get(key) if isinstance(part, dict) else None
    return value if isinstance(value, dict) else {}


def listed(part: Any, key: str) -> list[Any]:
    """Return the list at a key; an empty one when the key has another type of value."""
    value = part.get(key) if isinstance(part, dict) else None
    return value if isinstance(value, list) else []


def _both(some: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_merged(left, right) for left in some for right in others][:_LIMIT]


def _merged(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    both = {**left, **right}
    if "properties" in left and "properties" in right:
        both["properties"] = {**mapped(left, "properties"), **mapped(right, "properties")}
    if "required" in both:
        both["required"] = [*listed(left, "required"), *listed(right, "required")]
    return both


def _type(value: object) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return "null" if value is None else kinds.get(type(value), "object")
