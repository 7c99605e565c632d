"""How this service calls others: in time, with one retry, as the same caller and trace."""

import asyncio
from dataclasses import dataclass
from typing import TypeVar

import httpx2
from fastapi import HTTPException
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, ValidationError

from app.identity import Identity

DEADLINE = 2.0  # seconds for a call as a whole, the retry included
TIMEOUT = httpx2.Timeout(DEADLINE, connect=0.5)
IDEMPOTENT = ("DELETE", "GET", "HEAD", "OPTIONS", "PUT")  # RFC 9110, 9.2.2
UNREACHED = (httpx2.ConnectTimeout, httpx2.NetworkError, httpx2.RemoteProtocolError)

tracer = trace.get_tracer(__name__)
Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True)
class Callee:
    """A service that this one calls, at one address that balances over its replicas."""

    name: str
    url: str
    client: httpx2.AsyncClient

    async def call(
        self, method: str, path: str, answer: type[Answer], caller: Identity, body: object = None
    ) -> Answer:
        """Call and read the answer. What goes wrong there is 502 here; what takes too long, 504."""
        headers = dict(caller.headers)
        with tracer.start_as_current_span(f"{method} {self.name}", kind=SpanKind.CLIENT):
            inject(headers)
            try:
                async with asyncio.timeout(DEADLINE):
                    response = await self._send(method, path, headers, body)
            except UNREACHED as error:
                raise HTTPException(502, f"{self.name} is not reached.") from error
            except (TimeoutError, httpx2.TimeoutException) as error:
                raise HTTPException(504, f"{self.name} takes too long.") from error
        if not response.is_success:
            raise HTTPException(502, f"{self.name} answered {response.status_code}.")
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise HTTPException(502, f"{self.name} answered in an unknown form.") from error

    async def _send(
        self, method: str, path: str, headers: dict[str, str], body: object
    ) -> httpx2.Response:
        if method in IDEMPOTENT:
            try:
                response = await self._send_once(method, path, headers, body)
                if response.status_code != 503:
                    return response
            except UNREACHED:
                pass  # another replica, or the same one a moment later
        return await self._send_once(method, path, headers, body)

    async def _send_once(
        self, method: str, path: str, headers: dict[str, str], body: object
    ) -> httpx2.Response:
        return await self.client.request(method, self.url + path, headers=headers, json=body)
