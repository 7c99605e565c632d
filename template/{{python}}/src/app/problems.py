"""Every error as application/problem+json (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPMethod, HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Message, Receive, Scope

MIB = 1024 * 1024
KIND = "application/problem+json"
REF = "#/components/schemas/{model}"
CONTENT = {KIND: {"schema": {"$ref": REF.format(model="Problem")}}}
RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request cannot be served", "content": CONTENT},
    "5XX": {"description": "The service cannot serve now", "content": CONTENT},
}
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}  # so only since Python 3.13


class Fault(BaseModel):
    """One thing wrong with a request, and where: a JSON pointer into the body, or a parameter."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(BaseModel):
    """What every answer of 400 and above holds."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Fault] | None = None


_, _SCHEMAS = models_json_schema([(Problem, "serialization")], ref_template=REF)
SCHEMAS: dict[str, Any] = _SCHEMAS["$defs"]


def problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[Fault] | None = None,
) -> Response:
    title = TITLES.get(status) or HTTPStatus(status).phrase
    body = Problem(title=title, status=status, detail=detail, errors=errors)
    return JSONResponse(body.model_dump(exclude_none=True), status, headers, KIND)


async def refused(request: Request, error: HTTPException) -> Response:
    """Answer what a route refuses, or the framework because no route fits."""
    if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
        said = error.detail != HTTPStatus(error.status_code).phrase
        detail = error.detail if said else f"Nothing is at {request.url.path}."
        return problem(error.status_code, detail, error.headers)
    allow = {"Allow": ", ".join(sorted(_methods(request)))}
    if request.method == HTTPMethod.OPTIONS:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=allow)
    return problem(405, f"{request.url.path} does not have this method.", allow)


def _methods(request: Request) -> set[str]:
    """Tell what a path has, over all of its routes; the framework names those of the first."""
    found: set[str] = {
        method
        for method in HTTPMethod
        for route in request.app.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    return found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())


async def invalid(_: Request, error: RequestValidationError) -> Response:
    """Answer a request that is not what its route takes."""
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem(400, "The body is not JSON.")
    return problem(422, "The request is not valid.", errors=[_fault(fault) for fault in faults])


def _fault(fault: Mapping[str, Any]) -> Fault:
    place, *path = fault["loc"]
    if place != "body":
        return Fault(detail=fault["msg"], parameter=path[0])
    steps = (quote(str(step).replace("~", "~0").replace("/", "~1"), safe="~") for step in path)
    return Fault(detail=fault["msg"], pointer="/".join(["#", *steps]))


def limit_body(scope: Scope, receive: Receive) -> Receive:
    """Refuse a body over 1 MiB: unread where its length is announced, else when it gets there."""
    announced = int(Headers(scope=scope).get("content-length", 0))
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive() if announced <= MIB else {}
        read += len(message.get("body", b""))
        if max(announced, read) > MIB:
            raise HTTPException(413, "The body is larger than 1 MiB.")
        return message

    return limited
