"""Breaking changes between two versions of an OpenAPI document, as a caller sees them.

What is only added breaks nothing: operations, members of responses, optional parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from svcgen.openapi.compatibility import Compatibility, Problem
from svcgen.openapi.document import Operation, media_types, operations
from svcgen.openapi.schemas import ANY, Document

REMOVED = "was removed"


def breaking_changes(old: Document, new: Document) -> Iterator[tuple[Operation, str]]:
    """Yield each changed operation of the old document with what breaks a caller of it.

    The problem is REMOVED when the new document lacks the operation.
    """
    newer = operations(new)
    for key, before in operations(old).items():
        if key not in newer:
            yield before, REMOVED
            continue
        after = newer[key]
        problems = [
            *_parameters(before, after),
            *_body(before, after),
            *_responses(before, after),
        ]
        yield from ((before, problem) for problem in dict.fromkeys(problems))


def _parameters(before: Operation, after: Operation) -> Iterator[str]:
    older, newer = before.parameters, after.parameters
    for key, parameter in newer.items():
        was_required = key in older and older[key].get("required") is True
        if parameter.get("required") is True and not was_required:
            yield f"parameter {parameter.get('name')} is required now"
    for key, parameter in older.items():
        name = f"parameter {parameter.get('name')}"
        if key not in newer:
            yield f"{name} is no longer accepted"
        else:
            schemas = _parameter_schema(parameter), _parameter_schema(newer[key])
            yield from _with_place(name, _request(before, after).problems(*schemas))


def _body(before: Operation, after: Operation) -> Iterator[str]:
    if after.body.get("required") is True and before.body.get("required") is not True:
        yield "a body is required now"
    if before.body and not after.body:
        yield "a body is no longer accepted"
        return
    newer = media_types(after.body)
    for kind, schema in media_types(before.body).items():
        if kind not in newer:
            yield f"{kind} is no longer accepted"
        else:
            yield from _with_place("body", _request(before, after).problems(schema, newer[kind]))


def _responses(before: Operation, after: Operation) -> Iterator[str]:
    for status, response in before.responses.items():
        alike = _responses_of(status, after.responses)
        if not alike and status.startswith("2"):
            yield f"is no longer answered by {status}"
        for each in alike:
            newer = media_types(each)
            for kind, schema in media_types(response).items():
                if kind not in newer:
                    yield f"answer {status} no longer has {kind}"
                else:
                    compared = Compatibility(after.document, before.document, request=False)
                    problems = compared.problems(newer[kind], schema)
                    yield from _with_place(f"answer {status}", problems)


def _request(before: Operation, after: Operation) -> Compatibility:
    return Compatibility(writer=before.document, reader=after.document, request=True)


def _responses_of(status: str, responses: Mapping[str, Any]) -> list[Any]:
    """Return the responses that a client accepts for a status, as OpenAPI ranks them."""
    for name in (status, f"{status[:1]}XX"):
        if name in responses:
            return [responses[name]]
    within = [response for name, response in responses.items() if status == f"{name[:1]}XX"]
    return within or ([responses["DEFAULT"]] if "DEFAULT" in responses else [])


def _parameter_schema(parameter: Mapping[str, Any]) -> Any:
    return parameter.get("schema", next(iter(media_types(parameter).values()), ANY))


def _with_place(place: str, problems: Iterable[Problem]) -> Iterator[str]:
    for within, what in problems:
        yield f"{place}: {within} {what}" if within else f"{place}: {what}"
