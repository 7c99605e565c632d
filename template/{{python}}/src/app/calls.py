"""Calls to other services: deadline, one retry, trace context and the caller's identity."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, TypeVar

import httpx2
from fastapi import Depends, HTTPException, Request
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, ValidationError

DEADLINE = 2.0  # seconds for a whole call, including the retry
PAUSE = 0.05  # seconds before the retry: a killed replica closes its connections one by one
TIMEOUT = httpx2.Timeout(DEADLINE, connect=0.5)
IDEMPOTENT = ("DELETE", "GET", "HEAD", "OPTIONS", "PUT")  # RFC 9110, 9.2.2
UNREACHABLE = (httpx2.ConnectTimeout, httpx2.NetworkError, httpx2.RemoteProtocolError)
IDENTITY = ("authorization", "x-auth-subject", "x-auth-scopes")

tracer = trace.get_tracer(__name__)
Model = TypeVar("Model", bound=BaseModel)


async def read_identity(request: Request) -> dict[str, str]:  # async: needs no worker thread
    """Return the identity headers set by the gateway, which removes those sent by clients."""
    return {name: request.headers[name] for name in IDENTITY if name in request.headers}


Caller = Annotated[dict[str, str], Depends(read_identity)]


@dataclass(frozen=True)
class Callee:
    """A called service, behind one load-balanced address."""

    name: str
    url: str
    client: httpx2.AsyncClient

    async def call(
        self, method: str, path: str, model: type[Model], caller: Caller, body: object = None
    ) -> Model:
        """Call and parse the response. A failed call raises 502, an exceeded deadline 504."""
        with tracer.start_as_current_span(f"{method} {self.name}", kind=SpanKind.CLIENT):
            headers = dict(caller)
            inject(headers)
            request = self.client.build_request(method, self.url + path, headers=headers, json=body)
            try:
                async with asyncio.timeout(DEADLINE):
                    response = await self._send(request)
            except UNREACHABLE as error:
                raise HTTPException(502, f"{self.name} is unreachable.") from error
            except (TimeoutError, httpx2.TimeoutException) as error:
                raise HTTPException(504, f"{self.name} timed out.") from error
        if not response.is_success:
            raise HTTPException(502, f"{self.name} returned status {response.status_code}.")
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise HTTPException(502, f"{self.name} returned an unexpected body.") from error

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request. Retry it once if it is idempotent and another replica may succeed."""
        if request.method in IDEMPOTENT:
            try:
                response = await self.client.send(request)
                if response.status_code != 503:
                    return response
            except UNREACHABLE:
                pass
            await asyncio.sleep(PAUSE)
        return await self.client.send(request)
