"""Error responses as application/problem+json (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPMethod, HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.routing import Match

KIND = "application/problem+json"
REF = "#/components/schemas/{model}"
CONTENT = {KIND: {"schema": {"$ref": REF.format(model="Problem")}}}
RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request cannot be served", "content": CONTENT},
    "5XX": {"description": "The service cannot serve now", "content": CONTENT},
}
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}  # older names before Python 3.13


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


async def handle_http_exception(request: Request, error: HTTPException) -> Response:
    """Respond to an HTTPException of a route, or of the framework when no route matches."""
    if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
        is_default = error.detail == HTTPStatus(error.status_code).phrase
        detail = f"No route matches {request.url.path}." if is_default else error.detail
        return problem(error.status_code, detail, error.headers)
    allow = {"Allow": ", ".join(sorted(_methods(request)))}
    if request.method == HTTPMethod.OPTIONS:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=allow)
    return problem(405, f"{request.url.path} does not allow this method.", allow)


def _methods(request: Request) -> set[str]:
    """Return the methods of all routes of a path; the framework reports only the first route's."""
    found: set[str] = {
        method
        for method in HTTPMethod
        for route in request.app.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    return found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())


async def handle_validation_error(_: Request, error: RequestValidationError) -> Response:
    """Respond to a request that does not match the parameters or the body of its route."""
    errors = error.errors()
    if any(item["type"] == "json_invalid" for item in errors):
        return problem(400, "The body is not valid JSON.")
    if any(isinstance(item.get("input"), bytes) for item in errors):
        return problem(415, "The body must be application/json.")  # the framework did not parse it
    return problem(422, "The request is not valid.", errors=[_fault(item) for item in errors])


def _fault(item: Mapping[str, Any]) -> Fault:
    location, *path = item["loc"]
    if location != "body":
        return Fault(detail=item["msg"], parameter=path[0])
    tokens = (quote(str(token).replace("~", "~0").replace("/", "~1"), safe="~") for token in path)
    return Fault(detail=item["msg"], pointer="/".join(["#", *tokens]))
