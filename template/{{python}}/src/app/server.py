"""How the parts come together, and how the process serves and stops."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import httpx2
import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import SERVICE, health, items, problems, telemetry
from app.calls import TIMEOUT, Callee
from app.config import Settings, fail, read_settings
from app.store import open_store


def create_app() -> FastAPI:
    """Read the environment and put the parts together; nothing is connected yet."""
    settings = read_settings(Settings)
    telemetry.log_as_json(settings.log_level)
    telemetry.start_tracing(exported=settings.otel_exporter_otlp_endpoint is not None)
    return compose(settings)


def compose(settings: Settings) -> FastAPI:
    app = FastAPI(
        title=SERVICE,
        version="1.0.0",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False},  # Telemetry below gives the one span, without the query
        responses=problems.RESPONSES,
        exception_handlers={
            HTTPException: problems.refused,
            RequestValidationError: problems.invalid,
        },
        lifespan=running,
    )
    app.state.settings = settings
    app.state.readiness = health.Readiness()
    app.add_middleware(telemetry.Telemetry)
    app.include_router(items.router)
    app.include_router(health.router)
    schemas = app.openapi().setdefault("components", {}).setdefault("schemas", {})
    schemas |= problems.SCHEMAS
    return app


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """Hold what the service needs while it runs."""
    settings, readiness = app.state.settings, app.state.readiness
    # Other services are near: a proxy that the environment names would see who asks.
    callers = httpx2.AsyncClient(timeout=TIMEOUT, trust_env=False)
    async with open_store(settings) as store, callers as client:
        app.state.store = store
        app.state.callees = [Callee(name, url, client) for name, url in settings.callees.items()]
        watches = [asyncio.create_task(readiness.watch(*check)) for check in store.checks.items()]
        yield
        for watch in watches:
            watch.cancel()


class Server(uvicorn.Server):
    """Serves on for DRAIN_SECONDS after SIGTERM, while /readyz sends callers elsewhere.

    Gateways learn late that a replica stops: one that refuses at once loses their requests.
    """

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,  # longer than gateways keep one, so that they close it
                timeout_graceful_shutdown=20,
            )
        )
        self.app = app
        self.seconds = 0.0

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        # Without the inherited part, which ends the process with the signal instead of exit code 0.
        if sig == signal.SIGTERM:  # Ctrl-C comes from somebody who will not wait
            self.seconds = self.app.state.settings.drain_seconds
        self.app.state.readiness.stopping = self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.sleep(self.seconds)
        await super().shutdown(sockets)


def serve() -> None:
    app = create_app()
    Server(app).run(sockets=[listen(app.state.settings.port)])


def listen(port: int) -> socket.socket:
    """Listen on all interfaces, with IPv6 where the machine has it."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        listener = socket.create_server(
            ("", port), family=family, backlog=2048, dualstack_ipv6=both
        )
    except OSError as error:
        fail(f"PORT: {error.strerror}: {port}")
    # An answer is two writes: by default the second one waits 40 ms for the first one's receipt.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


if __name__ == "__main__":
    print(json.dumps(compose(Settings.model_construct()).openapi(), indent=2))
