"""The application, and the server process with its graceful shutdown."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import httpx2
import uvicorn
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import SERVICE, health, items, problems, requests, telemetry
from app.calls import TIMEOUT, Callee
from app.config import Settings, fail, read_settings
from app.store import open_store


def create_app() -> FastAPI:
    """Read the settings and build the application, without connecting to anything."""
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
        telemetry={"tracing": False},  # middleware below: one span, without the query string
        dependencies=[Depends(requests.check_query)],
        responses=problems.RESPONSES,
        exception_handlers={
            HTTPException: problems.handle_http_exception,
            RequestValidationError: problems.handle_validation_error,
        },
        lifespan=lifespan,
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
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the store and the HTTP client, and run the readiness checks, until shutdown."""
    settings, readiness = app.state.settings, app.state.readiness
    # Without a proxy from the environment: it would see the callers' identities.
    http = httpx2.AsyncClient(timeout=TIMEOUT, trust_env=False)
    async with open_store(settings) as store, http as client:
        app.state.store = store
        app.state.callees = [Callee(name, url, client) for name, url in settings.callees.items()]
        watches = [asyncio.create_task(readiness.watch(*check)) for check in store.checks.items()]
        yield
        for watch in watches:
            watch.cancel()


class Server(uvicorn.Server):
    """A server that keeps serving for DRAIN_SECONDS after SIGTERM, with /readyz at 503.

    Gateways notice with a delay that a replica stops. Closing at once would lose requests.
    """

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,  # longer than gateways', so that the gateway closes first
                timeout_graceful_shutdown=20,
            )
        )
        self.app = app
        self.seconds = 0.0

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        # Does not call super(): that would exit with the signal instead of with code 0.
        if sig == signal.SIGTERM:  # no drain after Ctrl-C
            self.seconds = self.app.state.settings.drain_seconds
        self.app.state.readiness.stopping = self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.sleep(self.seconds)
        await super().shutdown(sockets)


def serve() -> None:
    app = create_app()
    Server(app).run(sockets=[listen(app.state.settings)])


def listen(settings: Settings) -> socket.socket:
    """Listen on HOST; without it on all interfaces, over IPv4 and, if available, IPv6."""
    host, port = settings.host, settings.port
    dual_stack = host is None and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual_stack or (host and host.version == 6) else socket.AF_INET
    try:
        listener = socket.create_server(
            (str(host or ""), port), family=family, backlog=2048, dualstack_ipv6=dual_stack
        )
    except OSError as error:
        fail(f"HOST or PORT: {error.strerror}: {port}")
    # A response is two writes: Nagle's algorithm delays the second by up to 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


if __name__ == "__main__":
    print(json.dumps(compose(Settings.model_construct()).openapi(), indent=2))
