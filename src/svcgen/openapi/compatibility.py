"""Whether all that one side writes by its schema is still read by the other side's schema."""

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

Found = tuple[str, str]
"""Where in a value, as in `items[].name`, and what is wrong there."""

Schema = Mapping[str, Any]
Pair = tuple[int, int]
"""The identities of two parts of documents."""

_AT_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_AT_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SAME = ("format", "pattern", "multipleOf", "uniqueItems")
_WITHIN = (("int32", "int64"), ("float", "double"))  # formats: the second holds the first
_FROM_NOTHING = ("minLength", "minItems", "minProperties")  # 0 where it is not written


@dataclass(frozen=True)
class Flow:
    """Values that go from who writes by the document `sent` to who reads by `taken`.

    In a request the older document says what is sent, in an answer it says what is taken.
    """

    sent: Document
    taken: Document
    request: bool
    known: dict[Pair, list[Found]] = field(default_factory=dict)
    within: set[Pair] = field(default_factory=set)

    def breaks(self, sent: Any, taken: Any) -> list[Found]:
        """Return what may be sent and is not taken; empty when everything is."""
        pair = (id(sent), id(taken))  # both documents live on, so no other value gets their place
        if pair not in self.known:
            self.known[pair] = []  # a schema within itself fits if all the rest of it does
            self.known[pair] = list(dict.fromkeys(self._breaks(sent, taken)))
        return self.known[pair]

    def _breaks(self, sent: Any, taken: Any) -> Iterator[Found]:
        readers = alternatives(self.taken, taken)
        for writer in alternatives(self.sent, sent):
            alike = [reader for reader in readers if types_of(writer) <= types_of(reader)]
            tried = [self._between(writer, reader) for reader in alike]
            yield from min(tried, key=len) if tried else self._strange(writer)

    def _strange(self, writer: Schema) -> Iterator[Found]:
        types = types_of(writer)
        widest = types - {"integer"} if "number" in types else types
        yield "", self._beyond("anything" if types == TYPES else " or ".join(sorted(widest)))

    def _beyond(self, what: str) -> str:
        return f"{what} is taken no more" if self.request else f"may be {what} now"

    def _between(self, writer: Schema, reader: Schema) -> list[Found]:
        """Compare two alternatives, but not those of a schema within itself once more."""
        members = (id(writer.get("properties", writer)), id(reader.get("properties", reader)))
        if members in self.within:
            return []
        self.within.add(members)
        found = list(self._all(writer, reader))
        self.within.discard(members)
        return found

    def _all(self, writer: Schema, reader: Schema) -> Iterator[Found]:
        yield from self._values(writer, reader)
        yield from self._limits(writer, reader)
        yield from self._required(writer, reader)
        yield from self._named(writer, reader)
        yield from self._others(writer, reader)
        if "items" in reader:
            yield from _below("[]", self.breaks(writer.get("items", ANY), reader["items"]))

    def _values(self, writer: Schema, reader: Schema) -> Iterator[Found]:
        written, read = values_of(writer), values_of(reader)
        if written is None and read is not None:
            yield "", self._changed("enum", written, read)
        for value in written or ():
            if read is not None and value not in read:
                yield "", self._beyond(json.dumps(value, ensure_ascii=False))

    def _limits(self, writer: Schema, reader: Schema) -> Iterator[Found]:
        if values_of(writer) is not None:
            return
        for key in (*_AT_LEAST, *_AT_MOST, *_SAME):
            absent = 0 if key in _FROM_NOTHING else None
            sent, taken = writer.get(key, absent), reader.get(key, absent)
            if taken is not None and taken is not False and not _fits(key, sent, taken):
                yield "", self._changed(key, sent, taken)

    def _changed(self, key: str, sent: Any, taken: Any) -> str:
        before, now = (sent, taken) if self.request else (taken, sent)
        return f"{key} is {_shown(now)} now, was {_shown(before)}"

    def _required(self, writer: Schema, reader: Schema) -> Iterator[Found]:
        written = mapped(writer, "properties")
        for name in sorted(_required(reader) - _required(writer)):
            lost = "may be missing now" if name in written else "is gone"
            yield name, "is required now" if self.request else lost

    def _named(self, writer: Schema, reader: Schema) -> Iterator[Found]:
        """Compare members by name; one that the newer document does not name is gone."""
        written, read = mapped(writer, "properties"), mapped(reader, "properties")
        said = _required(reader) - _required(writer)
        newer = reader if self.request else writer
        others = newer.get("additionalProperties") or False
        for name in written if self.request else read:
            if name in written and name in read:
                yield from _below(name, self.breaks(written[name], read[name]))
            elif others and name not in said:
                pair = written.get(name, others), read.get(name, others)
                yield from _below(name, self.breaks(*pair))
            elif name not in said:
                yield name, "is taken no more" if self.request else "is gone"

    def _others(self, writer: Schema, reader: Schema) -> Iterator[Found]:
        """Compare members without a name; a reader of answers passes over those it lacks."""
        written, read = (one.get("additionalProperties") for one in (writer, reader))
        if written and isinstance(read, dict):
            yield from _below("*", self.breaks(written, read))
        elif written and read is False and self.request:
            yield "*", "is taken no more"


def _required(schema: Schema) -> set[str]:
    return {name for name in listed(schema, "required") if isinstance(name, str)}


def _fits(key: str, sent: Any, taken: Any) -> bool:
    if key in _SAME or not _numbers(sent, taken):
        return sent == taken or (sent, taken) in _WITHIN
    return bool(sent >= taken if key in _AT_LEAST else sent <= taken)


def _numbers(*values: object) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _below(name: str, found: Iterable[Found]) -> Iterator[Found]:
    for where, what in found:
        yield f"{name}{'.' if where and not where.startswith('[') else ''}{where}", what
