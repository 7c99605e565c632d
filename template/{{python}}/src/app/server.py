"""One process that serves, and leaves when told to without losing a request."""

import asyncio
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.config import fail
from app.web import application


class Server(uvicorn.Server):
    """Answers on for DRAIN_SECONDS after SIGTERM, while /readyz sends callers elsewhere.

    Gateways learn of a stopping replica late: one that refuses at once loses their requests.
    """

    def __init__(self, app: FastAPI) -> None:
        # 75 s is longer than gateways and clients keep an idle connection, so that they close it.
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=20,
            )
        )
        self.state = app.state
        self.drain_seconds = app.state.settings.drain_seconds

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        # Not the inherited one, which sends itself the signal again and so exits with its number.
        if sig == signal.SIGINT:  # somebody at a terminal, who will not wait
            self.drain_seconds = 0
            self.force_exit = self.should_exit
        self.state.readiness.stopping = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.sleep(self.drain_seconds)
        await super().shutdown(sockets)


def serve() -> None:
    app = application()
    Server(app).run(sockets=[_listener(app.state.settings.port)])


def _listener(port: int) -> socket.socket:
    """Listen on all interfaces, IPv6 too where the machine has it."""
    both = socket.has_dualstack_ipv6()
    try:
        return socket.create_server(
            ("", port),
            family=socket.AF_INET6 if both else socket.AF_INET,
            backlog=2048,
            dualstack_ipv6=both,
        )
    except OSError as error:
        fail(f"PORT: {port} cannot be listened on: {error.strerror}")
