"""Schema compatibility: whether the reader's schema accepts all values of the writer's schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from svcgen.openapi.schemas import (
    ANY,
    TYPES,
    Document,
    alternatives,
    listed,
    mapped,
    types_of,
    values_of,
)

Problem = tuple[str, str]
"""Where in a value, as in `items[].name`, and what is wrong there."""

Schema = Mapping[str, Any]
Pair = tuple[int, int]
"""The identities of two parts of documents."""

_AT_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_AT_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SAME = ("format", "pattern", "multipleOf", "uniqueItems")
_WIDER_FORMATS = (("int32", "int64"), ("float", "double"))  # the second accepts all of the first
_ZERO_BY_DEFAULT = ("minLength", "minItems", "minProperties")


@dataclass(frozen=True)
class Compatibility:
    """Values go from a side that writes by the document `writer` to one that reads by `reader`.

    In a request the older document is the writer's, in a response it is the reader's.
    """

    writer: Document
    reader: Document
    request: bool
    compared: dict[Pair, list[Problem]] = field(default_factory=dict)
    comparing: set[Pair] = field(default_factory=set)

    def problems(self, writer: Any, reader: Any) -> list[Problem]:
        """Return which values the writer's schema allows and the reader's does not."""
        pair = (id(writer), id(reader))  # both documents live on, so no id is used again
        if pair not in self.compared:
            self.compared[pair] = []  # a recursive schema fits if all the rest of it does
            self.compared[pair] = list(dict.fromkeys(self._compare(writer, reader)))
        return self.compared[pair]

    def _compare(self, writer: Any, reader: Any) -> Iterator[Problem]:
        readers = alternatives(self.reader, reader)
        for schema in alternatives(self.writer, writer):
            types = types_of(schema)
            alike = [other for other in readers if types <= types_of(other)]
            if alike:
                yield from min((self._compare_types(schema, other) for other in alike), key=len)
            else:
                widest = types - {"integer"} if "number" in types else types
                what = "anything" if types == TYPES else " or ".join(sorted(widest))
                yield "", self._not_accepted(what)

    def _compare_types(self, writer: Schema, reader: Schema) -> list[Problem]:
        """Compare two alternatives; stop at a recursive schema that is being compared."""
        members = (id(writer.get("properties", writer)), id(reader.get("properties", reader)))
        if members in self.comparing:
            return []
        self.comparing.add(members)
        found = [
            *self._values_and_limits(writer, reader),
            *self._required(writer, reader),
            *self._properties(writer, reader),
            *self._additional_properties(writer, reader),
        ]
        if "items" in reader:
            found += _below("[]", self.problems(writer.get("items", ANY), reader["items"]))
        self.comparing.discard(members)
        return found

    def _values_and_limits(self, writer: Schema, reader: Schema) -> Iterator[Problem]:
        produced, accepted = values_of(writer), values_of(reader)
        if produced is None and accepted is not None:
            yield "", self._changed("enum", produced, accepted)
        for value in produced or ():
            if accepted is not None and value not in accepted:
                yield "", self._not_accepted(json.dumps(value, ensure_ascii=False))
        if produced is not None:
            return
        for key in (*_AT_LEAST, *_AT_MOST, *_SAME):
            absent = 0 if key in _ZERO_BY_DEFAULT else None
            limit, other = writer.get(key, absent), reader.get(key, absent)
            if other is not None and other is not False and not _fits(key, limit, other):
                yield "", self._changed(key, limit, other)

    def _not_accepted(self, what: str) -> str:
        return f"{what} is no longer accepted" if self.request else f"may be {what} now"

    def _changed(self, key: str, writer: Any, reader: Any) -> str:
        before, now = (writer, reader) if self.request else (reader, writer)
        return f"{key} is {_as_text(now)} now, was {_as_text(before)}"

    def _required(self, writer: Schema, reader: Schema) -> Iterator[Problem]:
        properties = mapped(writer, "properties")
        for name in sorted(_required_names(reader) - _required_names(writer)):
            lost = "may be missing now" if name in properties else "was removed"
            yield name, "is required now" if self.request else lost

    def _properties(self, writer: Schema, reader: Schema) -> Iterator[Problem]:
        """Compare members by name; one that the newer document does not have was removed."""
        produced, accepted = mapped(writer, "properties"), mapped(reader, "properties")
        reported = _required_names(reader) - _required_names(writer)
        newer = reader if self.request else writer
        others = newer.get("additionalProperties") or False
        for name in produced if self.request else accepted:
            if name in produced and name in accepted:
                yield from _below(name, self.problems(produced[name], accepted[name]))
            elif others and name not in reported:
                pair = produced.get(name, others), accepted.get(name, others)
                yield from _below(name, self.problems(*pair))
            elif name not in reported:
                yield name, "is no longer accepted" if self.request else "was removed"

    def _additional_properties(self, writer: Schema, reader: Schema) -> Iterator[Problem]:
        """Compare members without a name; a reader of responses ignores those it does not know."""
        produced, accepted = (side.get("additionalProperties") for side in (writer, reader))
        if produced and isinstance(accepted, dict):
            yield from _below("*", self.problems(produced, accepted))
        elif produced and accepted is False and self.request:
            yield "*", "is no longer accepted"


def _required_names(schema: Schema) -> set[str]:
    return {name for name in listed(schema, "required") if isinstance(name, str)}


def _fits(key: str, writer: Any, reader: Any) -> bool:
    numbers = all(isinstance(value, int | float) for value in (writer, reader))
    if key in _SAME or not numbers:
        return writer == reader or (writer, reader) in _WIDER_FORMATS
    return bool(writer >= reader if key in _AT_LEAST else writer <= reader)


def _as_text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _below(name: str, problems: Iterable[Problem]) -> Iterator[Problem]:
    for place, what in problems:
        yield f"{name}{'.' if place and not place.startswith('[') else ''}{place}", what
