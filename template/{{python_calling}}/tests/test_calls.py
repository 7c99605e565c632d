"""Calls to other services: headers, encoding, retries, limits, and the errors of failures."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from app.calls import REMAINING, Callee, CalleeError, Deadlines, callee, new_client

IDENTITY = {"x-auth-subject": "ann"}
PROBLEM = {"title": "Not Found", "status": 404, "detail": "No product has this id."}
Handler = Callable[[httpx2.Request], Coroutine[None, None, httpx2.Response]]


class Product(BaseModel):
    price: int


def call(handler: Handler, method: str = "GET", path: str = "/v1/other", **options: Any) -> Product:
    async def run() -> Product:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(handler)) as client:
            other = Callee("other", "http://other:8080/", client, max_body=100_000)
            return await other.call(method, path, Product, **options)

    return asyncio.run(run())


def sequence(*outcomes: int | Exception) -> tuple[Handler, list[httpx2.Request]]:
    """Return a handler that responds or fails with each outcome in order, and its requests."""
    remaining, requests = list(outcomes), []

    async def handle(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        outcome = remaining.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return httpx2.Response(outcome, json={"price": 1})

    return handle, requests


def respond(response: httpx2.Response) -> Handler:
    async def handle(_: httpx2.Request) -> httpx2.Response:
        return response

    return handle


@pytest.mark.parametrize("first", [503, httpx2.ConnectError(""), httpx2.ReadError("")])
def test_a_get_is_retried_once(first: int | Exception) -> None:
    handler, requests = sequence(first, 200)
    assert call(handler).price == 1
    assert len(requests) == 2


def test_a_post_sends_a_body_and_is_not_retried() -> None:
    handler, requests = sequence(503, 200)
    with pytest.raises(CalleeError):
        call(handler, "POST", body={"name": "chair"})
    assert [request.content for request in requests] == [b'{"name":"chair"}']


@pytest.mark.parametrize(
    ("outcomes", "code", "status"),
    [
        ([404], 502, 404),
        ([503, 503], 502, 503),
        ([httpx2.ConnectTimeout("")] * 2, 502, None),
        ([httpx2.ReadTimeout("")], 504, None),
    ],
)
def test_a_failed_call_is_a_502_or_504(
    outcomes: list[int | Exception], code: int, status: int | None
) -> None:
    with pytest.raises(CalleeError) as raised:
        call(sequence(*outcomes)[0])
    assert isinstance(raised.value, HTTPException)  # the response if no route handles it
    assert (raised.value.status_code, raised.value.status) == (code, status)
    assert (raised.value.callee, raised.value.problem) == ("other", None)
    assert "other" in raised.value.detail


def test_an_error_has_the_problem_of_the_callee() -> None:
    headers = {"content-type": "application/problem+json", "retry-after": "7"}
    with pytest.raises(CalleeError) as raised:
        call(respond(httpx2.Response(404, json=PROBLEM, headers=headers)))
    assert (raised.value.problem, raised.value.retry_after) == (PROBLEM, "7")


@pytest.mark.parametrize("content", [b"null", b"x" * 100_001])
@pytest.mark.parametrize("status", [200, 500])
def test_an_unexpected_or_large_body_is_a_502(status: int, content: bytes) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    headers = {"content-type": "application/problem+json"}
    with pytest.raises(CalleeError) as raised:
        call(respond(httpx2.Response(status, content=chunks(), headers=headers)))
    assert (raised.value.status_code, raised.value.status) == (502, status)
    assert raised.value.problem is None


@pytest.mark.parametrize(
    ("headers", "content", "code"),
    [
        ([(b"x-note", b"caf\xe9"), (b"set-cookie", b"a=\xff")], b'{"price": 1}', None),
        ([(b"content-encoding", b"gzip")], b"no gzip", 502),
        ([(b"content-type", b"application/problem+json")], b"[" * 100_000, 502),
    ],
)
def test_an_odd_response_is_not_an_internal_error(
    headers: list[tuple[bytes, bytes]], content: bytes, code: int | None
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    async def handle(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers=headers, content=chunks())

    if code is None:
        assert call(handle).price == 1
        return
    with pytest.raises(CalleeError) as raised:
        call(handle)
    assert raised.value.status_code == code


def test_a_cookie_of_one_caller_is_not_sent_for_another() -> None:
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: session=ann\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, new_client() as client:
            for token in ("ann", "b\xe9a"):
                caller = {"authorization": token}
                await Callee("other", address, client).send("GET", "/", caller)

    asyncio.run(run())
    assert b"authorization: b\xe9a" in seen[1].lower()
    assert b"session" not in seen[1]


def test_parameters_and_query_are_encoded() -> None:
    handler, requests = sequence(200)
    call(handler, path="/v1/products/{id}", parameters={"id": "a/b?"}, query={"q": "x&y", "n": 1})
    assert requests[0].url.raw_path == b"/v1/products/a%2Fb%3F?q=x%26y&n=1"


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_a_parameter_cannot_lead_to_another_path(id: str) -> None:
    with pytest.raises(RequestValidationError):  # a 422
        call(sequence(200)[0], path="/v1/products/{id}", parameters={"id": id})


@pytest.mark.parametrize("caller", [None, IDENTITY])
def test_only_a_given_identity_is_passed_on(caller: dict[str, str] | None) -> None:
    handler, requests = sequence(200)
    call(handler, caller=caller)
    assert requests[0].headers.get("x-auth-subject") == (caller and "ann")


@pytest.mark.parametrize(
    ("header", "seconds", "most"), [(None, None, 2000), (None, 0.5, 500), ("900", 9, 900)]
)
def test_a_call_ends_in_time_and_passes_on_what_remains(
    header: str | None, seconds: float | None, most: int
) -> None:
    """The callee hangs: the call ends after its seconds, or when the caller's own time is over."""
    remaining: list[int] = []

    async def hang(request: httpx2.Request) -> httpx2.Response:
        remaining.append(int(request.headers[REMAINING]))
        await asyncio.sleep(60)
        raise AssertionError

    app = FastAPI()
    app.add_middleware(Deadlines)

    @app.get("/")
    async def relay(other: Annotated[Callee, Depends(callee("other"))]) -> None:
        await other.send("GET", "/", seconds=seconds)

    async def get() -> httpx2.Response:
        other = httpx2.AsyncClient(transport=httpx2.MockTransport(hang))
        app.state.callees = [Callee("other", "http://other", other)]
        headers = {REMAINING: header} if header else {}
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/", headers=headers)

    assert asyncio.run(get()).status_code == 504
    assert 0 < remaining[0] <= most
