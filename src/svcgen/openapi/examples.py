"""A value that a schema accepts: what a stub answers, and what a check sends.

`pattern`, `multipleOf` and `not` are ignored: no value is derived from them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from svcgen.openapi.document import Operation, media_types
from svcgen.openapi.schemas import (
    TYPES,
    Document,
    alternatives,
    listed,
    mapped,
    types_of,
    values_of,
)

_JSON = "application/json"
_DEEPEST = 8  # levels of a schema that contains itself
# By format, as in JSON Schema, https://json-schema.org/draft/2020-12 7.3.
_TEXTS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "PT1S",
    "email": "ann@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uuid": "0af76519-16cd-43dd-8448-eb211c80319c",
}


def example(document: Document, schema: Any, depth: int = 0) -> Any:
    """Return a value that a schema accepts, the declared example if there is one.

    An object has its required members only.
    """
    choices = alternatives(document, schema)
    chosen = next((one for one in choices if types_of(one) != {"null"}), {"type": "null"})
    declared = [*_declared(chosen), *(values_of(chosen) or ())]
    if declared:
        return declared[0]
    types = types_of(chosen)
    if types == TYPES:
        return {}
    if "object" in types:
        members = mapped(chosen, "properties")
        names = dict.fromkeys(one for one in listed(chosen, "required") if isinstance(one, str))
        deeper = depth < _DEEPEST
        return {one: example(document, members.get(one), depth + 1) for one in names if deeper}
    if "array" in types:
        count = int(chosen.get("minItems") or 0)
        return [example(document, chosen.get("items"), depth + 1) for _ in range(count)]
    return _scalar(chosen, types)


def answer_of(operation: Operation) -> tuple[int, bytes]:
    """Return a status of success that an operation declares, and a body in JSON; 204 has none."""
    for status, response in operation.responses.items():
        if status.startswith("2"):
            schemas = media_types(response)
            value = example(operation.document, schemas[_JSON]) if _JSON in schemas else None
            number = int(status) if status.isdigit() else 200
            return number, b"" if _JSON not in schemas else json.dumps(value).encode()
    return 200, b"{}"


def request_of(operation: Operation) -> tuple[str, bytes | None]:
    """Return a path and query with the required parameters, and a body in JSON, or None."""
    path, query = operation.path, []
    for (location, _), parameter in operation.parameters.items():
        value = _as_text(example(operation.document, parameter.get("schema")))
        name = str(parameter.get("name"))
        if location == "path":
            path = path.replace(f"{{{name}}}", value)
        elif location == "query" and parameter.get("required") is True:
            query.append(f"{name}={value}")
    schema = media_types(operation.body).get(_JSON)
    body = None if schema is None else json.dumps(example(operation.document, schema)).encode()
    return path + ("?" + "&".join(query) if query else ""), body


def _declared(schema: Mapping[str, Any]) -> list[Any]:
    return [*listed(schema, "examples"), *(schema[key] for key in ("example",) if key in schema)]


def _scalar(schema: Mapping[str, Any], types: frozenset[str]) -> Any:
    if "string" in types:
        text = _TEXTS.get(str(schema.get("format")), "text")
        return text.ljust(int(schema.get("minLength") or 0), "x")
    if types & {"integer", "number"}:
        above = schema.get("exclusiveMinimum")
        lowest = schema.get("minimum", above + 1 if isinstance(above, int | float) else 1)
        number = min(lowest, schema.get("maximum", lowest))
        # FastAPI writes "minimum": 0.0, which a strict parser refuses for an integer.
        return number if "number" in types else math.ceil(number)
    return False if "boolean" in types else None


def _as_text(value: Any) -> str:
    return quote(value if isinstance(value, str) else json.dumps(value), safe="")
