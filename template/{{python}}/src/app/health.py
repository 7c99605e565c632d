"""/livez, /readyz and /metrics, for operators."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], Awaitable[None]]

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)


class Readiness:
    """Whether the service accepts requests: it is not stopping and every check passes."""

    def __init__(self) -> None:
        self.checks: dict[str, Check] = {}  # filled by the resources that are opened at startup
        self.failing: set[str] = set()
        self.stopping = False

    @property
    def reason(self) -> str:
        """Why the service is not ready; empty if it is ready."""
        if self.stopping:
            return "The service is stopping."
        return f"Unreachable: {', '.join(sorted(self.failing))}." if self.failing else ""

    async def watch(self, name: str, check: Check) -> None:
        """Run a check every second. Log a warning every 5 s while it fails."""
        self.failing.add(name)
        warned = float("-inf")
        while True:
            try:
                await asyncio.wait_for(check(), timeout=4)  # tolerates a busy machine
                self.failing.discard(name)
            except Exception as error:
                self.failing.add(name)
                if monotonic() - warned >= 5:
                    log.warning("%s is unreachable: %s", name, type(error).__name__)
                    warned = monotonic()
            await asyncio.sleep(1)


@router.get("/livez")
async def livez() -> PlainTextResponse:
    return PlainTextResponse("alive")


@router.get("/readyz")
async def readyz(request: Request) -> PlainTextResponse:
    if reason := request.app.state.readiness.reason:
        raise HTTPException(503, reason)
    return PlainTextResponse("ready")


@router.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
