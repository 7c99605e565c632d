"""Whether a callee's OpenAPI document still keeps what an older copy of it promises to a caller.

What only adds breaks nothing: operations, members of answers, parameters that may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from svcgen.openapi.compatibility import Flow, Found
from svcgen.openapi.schemas import ANY, Document, listed, mapped, resolve

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
Key = tuple[str, str]
"""Method, and path with nothing between the braces: names of path parameters mean nothing."""


@dataclass(frozen=True)
class Operation:
    """One operation with the document that its references lead into."""

    document: Document
    method: str
    path: str
    item: Mapping[str, Any]

    @property
    def key(self) -> Key:
        """What makes it the same operation in another document."""
        return self.method, re.sub(r"\{[^}]*\}", "{}", self.path)

    @property
    def written(self) -> dict[str, Any]:
        """What the document says of it."""
        return mapped(self.item, self.method)

    def __str__(self) -> str:
        name = self.written.get("operationId")
        return f"{self.method.upper()} {self.path}" + (f" ({name})" if name else "")

    @property
    def parameters(self) -> dict[Key, dict[str, Any]]:
        """The parameters by place and name; those of the path by their order there."""
        order = re.findall(r"\{([^}]*)\}", self.path)
        found = {}
        for entry in (*listed(self.item, "parameters"), *listed(self.written, "parameters")):
            one = resolve(self.document, entry)
            if isinstance(one, dict):
                place, name = str(one.get("in")), str(one.get("name"))
                in_path = place == "path" and name in order
                found[place, str(order.index(name)) if in_path else name] = one
        return found

    @property
    def body(self) -> dict[str, Any]:
        """What it takes as body; empty when it takes none."""
        found = resolve(self.document, self.written.get("requestBody"))
        return found if isinstance(found, dict) else {}

    @property
    def answers(self) -> dict[str, Any]:
        """The answers by status: `200`, `4XX`, `default`."""
        found = mapped(self.written, "responses")
        return {status.upper(): resolve(self.document, one) for status, one in found.items()}


def operations(document: Document) -> dict[Key, Operation]:
    """Return all operations of a document."""
    paths = mapped(document, "paths")
    items = {path: resolve(document, item) for path, item in paths.items()}
    found = [
        Operation(document, method, path, item)
        for path, item in items.items()
        for method in METHODS
        if isinstance(item, dict) and method in item
    ]
    return {operation.key: operation for operation in found}


def broken_promises(copy: Document, now: Document) -> Iterator[tuple[Operation, str]]:
    """Return each operation of the copy with what is not kept of it; `is gone` for all of it."""
    there = operations(now)
    for key, before in operations(copy).items():
        if key not in there:
            yield before, GONE
            continue
        after = there[key]
        found = [
            *_parameters(before, after),
            *_body(before, after),
            *_answers(before, after),
        ]
        yield from ((before, problem) for problem in dict.fromkeys(found))


GONE = "is gone"


def _parameters(before: Operation, after: Operation) -> Iterator[str]:
    known, there = before.parameters, after.parameters
    for key, one in there.items():
        was_required = key in known and known[key].get("required") is True
        if one.get("required") is True and not was_required:
            yield f"parameter {one.get('name')} is required now"
    for key, one in known.items():
        name = f"parameter {one.get('name')}"
        if key not in there:
            yield f"{name} is taken no more"
        else:
            found = _sent(before, after).breaks(_schema(one), _schema(there[key]))
            yield from _said(name, found)


def _body(before: Operation, after: Operation) -> Iterator[str]:
    known, there = before.body, after.body
    if there.get("required") is True and known.get("required") is not True:
        yield "a body is required now"
    if known and not there:
        yield "a body is taken no more"
        return
    for kind, schema in _content(known).items():
        newer = _content(there)
        if kind not in newer:
            yield f"{kind} is taken no more"
        else:
            yield from _said("body", _sent(before, after).breaks(schema, newer[kind]))


def _answers(before: Operation, after: Operation) -> Iterator[str]:
    for status, known in before.answers.items():
        there = _alike(status, after.answers)
        if not there and status.startswith("2"):
            yield f"is not answered by {status} any more"
        for each in there:
            newer = _content(each)
            for kind, schema in _content(known).items():
                if kind not in newer:
                    yield f"answer {status} has no {kind} any more"
                else:
                    found = _answered(before, after).breaks(newer[kind], schema)
                    yield from _said(f"answer {status}", found)


def _sent(before: Operation, after: Operation) -> Flow:
    return Flow(before.document, after.document, request=True)


def _answered(before: Operation, after: Operation) -> Flow:
    return Flow(after.document, before.document, request=False)


def _alike(status: str, answers: Mapping[str, Any]) -> list[Any]:
    """Return the answers that a client takes for those of a status, as OpenAPI ranks them."""
    for name in (status, f"{status[:1]}XX"):
        if name in answers:
            return [answers[name]]
    within = [one for name, one in answers.items() if status == f"{name[:1]}XX"]
    return within or ([answers["DEFAULT"]] if "DEFAULT" in answers else [])


def _content(written: Any) -> dict[str, Any]:
    """Return the schemas by media type, without its parameters."""
    content = mapped(written, "content")
    return {
        kind.partition(";")[0].strip().lower(): mapped(content, kind).get("schema", ANY)
        for kind in content
    }


def _schema(parameter: Mapping[str, Any]) -> Any:
    return parameter.get("schema", next(iter(_content(parameter).values()), ANY))


def _said(where: str, found: Iterable[Found]) -> Iterator[str]:
    for within, what in found:
        yield f"{where}: {within} {what}" if within else f"{where}: {what}"
