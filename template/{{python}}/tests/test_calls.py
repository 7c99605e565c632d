"""Calls to other services: what goes along, what is repeated, and what a failure becomes."""

import asyncio
from collections.abc import Callable, Coroutine

import httpx2
import pytest
from fastapi import HTTPException

from app.calls import Callee
from app.models import Summary

SUMMARY = {"service": "other", "items": 1, "calls": {}}
Answers = Callable[[httpx2.Request], Coroutine[None, None, httpx2.Response]]


def call(answers: Answers, method: str = "GET") -> Summary:
    async def run() -> Summary:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(answers)) as client:
            other = Callee("other", "http://other:8080", client)
            return await other.call(method, "/v1/other", Summary, {"x-auth-subject": "ann"})

    return asyncio.run(run())


def in_turn(*answers: int | Exception) -> tuple[Answers, list[httpx2.Request]]:
    """Answer with each status, or fail with each error, and remember the requests."""
    left, requests = list(answers), []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return httpx2.Response(outcome, json=SUMMARY)

    return answer, requests


@pytest.mark.parametrize("first", [503, httpx2.ConnectError(""), httpx2.ReadError("")])
def test_a_get_is_tried_twice(first: int | Exception) -> None:
    answers, requests = in_turn(first, 200)
    assert call(answers).items == 1
    assert len(requests) == 2


def test_a_post_is_never_repeated() -> None:
    answers, requests = in_turn(503, 200)
    with pytest.raises(HTTPException):
        call(answers, "POST")
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([404], 502),
        ([503, 503], 502),
        ([httpx2.ConnectTimeout("")] * 2, 502),
        ([httpx2.ReadTimeout("")], 504),
    ],
)
def test_a_failure_has_its_status(answers: list[int | Exception], status: int) -> None:
    with pytest.raises(HTTPException) as refused:
        call(in_turn(*answers)[0])
    assert refused.value.status_code == status
    assert "other" in refused.value.detail


def test_the_caller_goes_along() -> None:
    answers, requests = in_turn(200)
    call(answers)
    assert requests[0].headers["x-auth-subject"] == "ann"
