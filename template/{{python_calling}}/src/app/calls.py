"""Calls to other services: deadline, one retry, trace context and the caller's identity."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import monotonic
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import httpx2
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

TIMEOUT = 2.0  # seconds for a whole call, including the retry
PAUSE = 0.05  # seconds before the retry: a killed replica closes its connections one by one
MAX_BODY = 1024 * 1024  # bytes of a response
IDEMPOTENT = ("DELETE", "GET", "HEAD", "OPTIONS", "PUT")  # RFC 9110, 9.2.2
UNREACHABLE = (
    httpx2.ConnectTimeout,
    httpx2.NetworkError,
    httpx2.RemoteProtocolError,
    httpx2.DecodingError,
)
IDENTITY = ("authorization", "x-auth-subject", "x-auth-scopes")
REMAINING = "x-envoy-expected-rq-timeout-ms"  # the milliseconds after which the caller gives up

tracer = trace.get_tracer(__name__)
deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))
Model = TypeVar("Model", bound=BaseModel)


class Deadlines:
    """Middleware that ends the calls made for a request when its caller gives up."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        remaining = Headers(scope=scope).get(REMAINING, "") if scope["type"] == "http" else ""
        if remaining.isascii() and remaining.isdecimal():
            deadline.set(monotonic() + int(remaining[:9]) / 1000)
        await self.app(scope, receive, send)


async def read_identity(request: Request) -> dict[str, str]:  # async: needs no worker thread
    """Return the identity headers set by the gateway, which removes those sent by clients."""
    return {name: request.headers[name] for name in IDENTITY if name in request.headers}


Caller = Annotated[dict[str, str], Depends(read_identity)]


class CalleeError(HTTPException):
    """A failed call. If no route handles it, the response is 504 after a timeout, else 502."""

    def __init__(
        self, callee: str, reason: str, response: httpx2.Response | None = None, code: int = 502
    ) -> None:
        super().__init__(code, f"{callee} {reason}.")
        self.callee = callee
        # None without a response, and if the response has none:
        self.status = None if response is None else response.status_code
        self.problem = _problem(response)
        self.retry_after = None if response is None else response.headers.get("retry-after")


def _problem(response: httpx2.Response | None) -> dict[str, Any] | None:
    if response is None:
        return None
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        members = response.json()
    except (ValueError, RecursionError, httpx2.StreamError):  # not JSON, or not read: too large
        return None
    return members if isinstance(members, dict) else None


def _encode(name: str, value: object) -> str:
    text = str(value)
    if text in {"", ".", ".."}:  # these would lead to another path, percent-encoded too
        reason = "cannot be a segment of a path"
        raise RequestValidationError(
            [{"type": "value_error", "loc": ("path", name), "msg": reason}]
        )
    return quote(text, safe="")


@dataclass(frozen=True)
class Callee:
    """A called service, behind one load-balanced address; or an API of a third party."""

    name: str
    url: str
    client: httpx2.AsyncClient
    timeout: float = TIMEOUT
    max_body: int = MAX_BODY

    async def call(
        self,
        method: str,
        path: str,
        model: type[Model],
        caller: Mapping[str, str] | None = None,
        body: object = None,
        *,
        parameters: Mapping[str, object] | None = None,
        query: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> Model:
        """Send a request as `send` does, and parse the response."""
        response = await self.send(
            method, path, caller, body, parameters=parameters, query=query, seconds=seconds
        )
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise CalleeError(self.name, "returned an unexpected body", response) from error

    async def send(
        self,
        method: str,
        path: str,
        caller: Mapping[str, str] | None = None,
        body: object = None,
        *,
        parameters: Mapping[str, object] | None = None,
        query: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> httpx2.Response:
        """Send a request with a JSON body, and return a response of success.

        `/v1/products/{id}` takes `id` from the parameters. Any other outcome raises CalleeError;
        `seconds` limits this call instead of the timeout of the callee.
        """
        encoded = {name: _encode(name, value) for name, value in (parameters or {}).items()}
        url = self.url.rstrip("/") + (path.format(**encoded) if parameters else path)
        end = min(monotonic() + (self.timeout if seconds is None else seconds), deadline.get())
        with tracer.start_as_current_span(f"{method} {self.name}", kind=SpanKind.CLIENT):
            headers = httpx2.Headers(caller, encoding="latin-1")  # as Starlette decodes them
            inject(headers)
            request = self.client.build_request(
                method, url, headers=headers, json=body, params=query
            )
            try:
                async with asyncio.timeout(end - monotonic()):
                    response = await self._send(request, end)
            except UNREACHABLE as error:
                raise CalleeError(self.name, "is unreachable") from error
            except (TimeoutError, httpx2.TimeoutException) as error:
                raise CalleeError(self.name, "timed out", code=504) from error
        if not response.is_success:
            raise CalleeError(self.name, f"returned status {response.status_code}", response)
        return response

    async def _send(self, request: httpx2.Request, end: float) -> httpx2.Response:
        """Send the request. Retry it once if it is idempotent and another replica may succeed."""
        if request.method in IDEMPOTENT:
            try:
                response = await self._send_once(request, end)
                if response.status_code != 503:
                    return response
            except UNREACHABLE:
                pass
            await asyncio.sleep(PAUSE)
        return await self._send_once(request, end)

    async def _send_once(self, request: httpx2.Request, end: float) -> httpx2.Response:
        remaining = max(end - monotonic(), 0)
        request.headers[REMAINING] = str(int(remaining * 1000))
        # A quarter for the connection leaves time to try another replica.
        limits = httpx2.Timeout(remaining, connect=remaining / 4)
        request.extensions["timeout"] = limits.as_dict()
        response = await self.client.send(request, stream=True)
        content = bytearray()
        async with aclosing(response):
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > self.max_body:
                    raise CalleeError(self.name, "returned too large a body", response)
        headers = [
            (name, value)
            for name, value in response.headers.raw
            if name.lower() not in {b"content-encoding", b"content-length"}  # it is decoded
        ]
        return httpx2.Response(response.status_code, headers=headers, content=bytes(content))


def callee(name: str) -> Callable[[Request], Awaitable[Callee]]:
    """Return a dependency: `products: Annotated[Callee, Depends(callee("products"))]`."""

    async def find(request: Request) -> Callee:
        callees: list[Callee] = request.app.state.callees
        return {each.name: each for each in callees}[name]

    return find


def new_client() -> httpx2.AsyncClient:
    """Return a client without cookies, which all callers would share, and without a proxy from
    the environment, which would see the callers' identities.
    """
    cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    return httpx2.AsyncClient(trust_env=False, cookies=cookies)


@asynccontextmanager
async def open_callees(app: FastAPI) -> AsyncIterator[None]:
    """Open the clients of the called services, as `app.state.callees`."""
    async with new_client() as client:
        urls = app.state.settings.callees
        app.state.callees = [Callee(name, url, client) for name, url in urls.items()]
        yield
