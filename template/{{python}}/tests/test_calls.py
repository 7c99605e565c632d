"""Calls to other services: propagated headers, retries, and the status of failures."""

import asyncio
from collections.abc import Callable, Coroutine

import httpx2
import pytest
from fastapi import HTTPException

from app.calls import Callee
from app.models import Summary

SUMMARY = {"service": "other", "items": 1, "calls": {}}
Handler = Callable[[httpx2.Request], Coroutine[None, None, httpx2.Response]]


def call(handler: Handler, method: str = "GET") -> Summary:
    async def run() -> Summary:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(handler)) as client:
            other = Callee("other", "http://other:8080", client)
            return await other.call(method, "/v1/other", Summary, {"x-auth-subject": "ann"})

    return asyncio.run(run())


def sequence(*outcomes: int | Exception) -> tuple[Handler, list[httpx2.Request]]:
    """Return a handler that responds or fails with each outcome in order, and its requests."""
    remaining, requests = list(outcomes), []

    async def handle(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        outcome = remaining.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return httpx2.Response(outcome, json=SUMMARY)

    return handle, requests


@pytest.mark.parametrize("first", [503, httpx2.ConnectError(""), httpx2.ReadError("")])
def test_a_get_is_retried_once(first: int | Exception) -> None:
    handler, requests = sequence(first, 200)
    assert call(handler).items == 1
    assert len(requests) == 2


def test_a_post_is_not_retried() -> None:
    handler, requests = sequence(503, 200)
    with pytest.raises(HTTPException):
        call(handler, "POST")
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([404], 502),
        ([503, 503], 502),
        ([httpx2.ConnectTimeout("")] * 2, 502),
        ([httpx2.ReadTimeout("")], 504),
    ],
)
def test_a_failed_call_is_a_502_or_504(outcomes: list[int | Exception], status: int) -> None:
    with pytest.raises(HTTPException) as raised:
        call(sequence(*outcomes)[0])
    assert raised.value.status_code == status
    assert "other" in raised.value.detail


def test_the_identity_headers_are_propagated() -> None:
    handler, requests = sequence(200)
    call(handler)
    assert requests[0].headers["x-auth-subject"] == "ann"
