"""What holds for the requests of every route: sizes, encodings, the forms of query parameters."""

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar, get_args, get_origin
from urllib.parse import unquote_to_bytes

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

MIB = 1024 * 1024
HEADERS = 48 * 1024  # bytes
UNENCODED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
INTEGER = re.compile(r"-?[0-9]+")
JSON = re.compile(r"application/(\S+\+)?json\s*(;|$)", re.IGNORECASE)

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def check_head(scope: Scope) -> None:
    """Reject headers over 48 KiB, and a path or query that is not percent-encoded UTF-8."""
    if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > HEADERS:
        raise HTTPException(431, "The headers are larger than 48 KiB.")
    if not (_is_encoded(scope["raw_path"]) and _is_encoded(scope["query_string"])):
        raise HTTPException(400, "The path or the query is not percent-encoded UTF-8.")


def _is_encoded(text: bytes) -> bool:
    try:
        unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return False
    return not UNENCODED.search(text)


async def check_query(request: Request) -> None:
    """Reject an integer that is not digits (Python reads 1_0), and a repeated parameter."""
    errors = []
    for field in request.scope["route"].dependant.query_params:
        values = request.query_params.getlist(field.alias)
        annotation = field.field_info.annotation
        kinds = {annotation, *get_args(annotation)}
        if int in kinds and not all(map(INTEGER.fullmatch, values)):
            errors.append(_query_error(field.alias, "must be an integer: digits, or - and digits"))
        elif len(values) > 1 and not any(get_origin(kind) in {list, set, tuple} for kind in kinds):
            errors.append(_query_error(field.alias, "must not be repeated"))
    if errors:
        raise RequestValidationError(errors)


def _query_error(name: str, reason: str) -> dict[str, Any]:
    return {"type": "value_error", "loc": ("query", name), "msg": reason}


def max_body(size: int) -> Callable[[Endpoint], Endpoint]:
    """Accept bodies of up to this number of bytes: `@max_body(10 * MIB)` below the route."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__["max_body"] = size
        return endpoint

    return mark


def check_body(scope: Scope, receive: Receive) -> Receive:
    """Reject a body over the limit, before reading it if its Content-Length says so.

    Also reject JSON that Python reads and RFC 8259 forbids: UTF-16, UTF-32 and NaN.
    """
    headers = Headers(scope=scope)
    declared = int(headers.get("content-length", 0))
    is_json = JSON.match(headers.get("content-type", "")) is not None
    body = b""

    async def checked() -> Message:
        nonlocal body
        limit: int = getattr(scope.get("endpoint"), "max_body", MIB)  # the route is found by now
        message = await receive() if declared <= limit else {}
        body += message.get("body", b"")
        if max(declared, len(body)) > limit:
            raise HTTPException(413, f"The body is larger than {_size(limit)}.")
        if is_json and body and not message.get("more_body"):
            _check_json(body)
        return message

    return checked


def _size(count: int) -> str:
    return f"{count} bytes" if count % MIB else f"{count // MIB} MiB"


def _check_json(body: bytes) -> None:
    try:
        json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "The body is not valid JSON.") from error


def _refuse(constant: str) -> None:
    raise ValueError(constant)
