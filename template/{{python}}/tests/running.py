"""Runs the service as in production: as a process with environment variables."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import httpx2

from app.config import Settings

# Ends the service when the process of the tests ends: only that has the other end of the pipe.
PIPE, _ = os.pipe()
END_WITH_TESTS = """
import os, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
"""
RUN = 'import runpy; runpy.run_module("app", run_name="__main__")'
URLS = [field.upper() for field in Settings.model_fields if field.endswith("_url")]
UNREACHABLE = dict.fromkeys(URLS, "http://127.0.0.1:1")


@dataclass(frozen=True)
class Service:
    """A ready service and its log file."""

    http: httpx2.Client
    process: subprocess.Popen[bytes]
    log: IO[bytes]


@contextmanager
def started(environment: Mapping[str, str], log: IO[bytes], setup: str = "") -> Iterator[Service]:
    port = free_port()
    process = start({"PORT": str(port), **environment}, log, setup=setup)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            wait_ready(http, process)
            yield Service(http, process, log)
    finally:
        process.kill()
        process.wait()


def start(
    environment: Mapping[str, str], log: IO[bytes], *args: str, setup: str = ""
) -> subprocess.Popen[bytes]:
    """Start the service; `setup` is code that runs before it."""
    command = [sys.executable, "-c", "\n".join([END_WITH_TESTS, setup, RUN]), *args]
    variables = {**os.environ, **UNREACHABLE, **environment}
    return subprocess.Popen(command, env=variables, stdin=PIPE, stdout=log)


def wait_ready(http: httpx2.Client, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        try:
            if http.get("/readyz").is_success:
                return
        except httpx2.ConnectError:
            assert process.poll() is None, "the service exited before it was ready"
        time.sleep(0.05)
    raise AssertionError("the service is not ready after 10 s")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
