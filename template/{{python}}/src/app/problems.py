"""Every error as application/problem+json (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
# RFC 9110's names, which Python has from 3.13 on.
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
DETAILS = {
    404: "Nothing has this path.",
    405: "This path does not have this method.",
    413: "The body is larger than 1 MiB.",
}


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


def problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[Fault] | None = None,
) -> Response:
    """Answer with a problem."""
    title = TITLES.get(status) or HTTPStatus(status).phrase
    body = Problem(title=title, status=status, detail=detail, errors=errors)
    return JSONResponse(
        body.model_dump(exclude_none=True), status, headers, "application/problem+json"
    )


def answer_with_problems(app: FastAPI) -> None:
    """Turn whatever the framework refuses into problems."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    said = error.detail != HTTPStatus(error.status_code).phrase
    detail = error.detail if said else DETAILS.get(error.status_code, error.detail)
    return problem(error.status_code, detail, headers)


def _allowed(request: Request) -> str:
    """List what the path has; the framework knows only the first of several routes' methods."""
    scopes = {method: {**request.scope, "method": method} for method in METHODS}
    found = [
        method
        for method, scope in scopes.items()
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    ]
    return ", ".join(sorted([*found, "OPTIONS", *(["HEAD"] if "GET" in found else [])]))


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem(400, "The body is not JSON.")
    return problem(422, "The request is not valid.", errors=[_fault(fault) for fault in faults])


def _fault(fault: Mapping[str, Any]) -> Fault:
    place, *path = fault["loc"]
    if place != "body":
        return Fault(detail=fault["msg"], parameter=str(path[0]))
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return Fault(detail=fault["msg"], pointer="/".join(["#", *map(quote, steps)]))
