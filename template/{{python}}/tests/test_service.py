"""Errors, OpenAPI, logs, metrics, configuration and shutdown."""

import asyncio
import json
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import httpx2
import pytest
from fastapi import Request
from running import Service, free_port, start, started

from app.requests import MIB, max_body
from app.server import compose
from app.service import Settings

PATH = "/openapi.json"
# Additions to the service, as its owner makes them in app.service.
SETUP = """
import asyncio, logging
from app import service

class Settings(service.Settings):
    page_size: int = 20

service.Settings = Settings
log = logging.getLogger("app")

async def fail(_):
    raise RuntimeError("no more")

async def print_level(app):
    log.info(app.state.settings.log_level)

async def wait(_):
    log.info("waiting")
    try:
        await asyncio.Event().wait()
    finally:
        log.info("cancelled")
"""


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", PATH, 200),
        ("OPTIONS", PATH, 204),
        ("PUT", PATH, 405),
        ("POST", "/livez", 405),
        ("GET", "/unknown", 404),
        ("GET", f"{PATH}/", 404),
        ("GET", "/livez", 200),
        ("GET", "/metrics", 200),
    ],
)
def test_methods_and_paths(service: Service, method: str, path: str, status: int) -> None:
    response = service.http.request(method, path)
    assert response.status_code == status
    assert (status >= 400) == (response.headers.get("Content-Type") == "application/problem+json")
    if status in {204, 405}:
        assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_openapi_json_is_up_to_date(service: Service) -> None:
    committed = json.loads(Path("openapi.json").read_text(encoding="utf-8"))
    assert service.http.get("/openapi.json").json() == committed, "run: make generate"


def test_a_request_is_logged_once_with_its_trace(service: Service) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    service.http.get(PATH, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    service.http.get("/livez")
    lines = [json.loads(line) for line in Path(service.log.name).read_text().splitlines()]
    (line,) = [line for line in lines if line["trace_id"] == trace]
    assert (line["msg"], line["url_path"], line["level"]) == ("request", PATH, "info")
    assert not [line for line in lines if line.get("url_path") == "/livez"]


def test_unknown_paths_share_one_time_series(service: Service) -> None:
    for path in ("/one", "/two"):
        service.http.request("NONSENSE", path)
    series = service.http.get("/metrics").text
    assert 'http_request_method="_OTHER",http_response_status_code="404",http_route=""' in series
    assert "/one" not in series


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "70000"), ("LOG_LEVEL", "loud"), ("PAGE_SIZE", "many")]
)
def test_startup_fails_on_an_invalid_variable(
    environment: dict[str, str], name: str, value: str
) -> None:
    with tempfile.NamedTemporaryFile() as log:
        assert start({**environment, name: value}, log, setup=SETUP).wait(60) == 1
        (line,) = Path(log.name).read_text().splitlines()
    assert json.loads(line)["msg"].startswith(name)


def test_a_stopping_service_drains_and_exits_with_0(environment: dict[str, str]) -> None:
    setup = f"{SETUP}service.TASKS.append(wait)"
    with (
        tempfile.NamedTemporaryFile() as log,
        started({**environment, "DRAIN_SECONDS": "1"}, log, setup) as stopping,
    ):
        stopping.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert stopping.http.get("/readyz").status_code == 503
        assert stopping.http.get(PATH).status_code == 200
        assert stopping.process.wait(30) == 0
        assert "cancelled" in messages(log)


def test_a_failed_background_task_ends_the_service(environment: dict[str, str]) -> None:
    setup = f"{SETUP}service.TASKS.append(fail)"
    variables = {**environment, "PORT": str(free_port()), "DRAIN_SECONDS": "0"}
    with tempfile.NamedTemporaryFile() as log:
        assert start(variables, log, setup=setup).wait(60) == 1
        assert "background task fail failed" in messages(log)


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("report", 0, "info"),
        ("broken", 1, "job broken failed"),
        ("x", 1, "unknown command x: use migrate, report, broken, or no argument to serve"),
    ],
)
def test_a_job_runs_once(
    environment: dict[str, str], command: str, code: int, message: str
) -> None:
    setup = f"{SETUP}service.JOBS = {{'report': print_level, 'broken': fail}}"
    with tempfile.NamedTemporaryFile() as log:
        assert start(environment, log, command, setup=setup).wait(60) == code
        assert messages(log) == [message]


def test_a_stopped_job_is_cancelled(environment: dict[str, str]) -> None:
    setup = f"{SETUP}service.JOBS = {{'wait': wait}}"
    with tempfile.NamedTemporaryFile() as log:
        process = start(environment, log, "wait", setup=setup)
        for _ in range(400):
            if messages(log):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1
        assert messages(log) == ["waiting", "cancelled", "job wait failed"]


def messages(log: IO[bytes]) -> list[str]:
    return [json.loads(line)["msg"] for line in Path(log.name).read_text().splitlines()]


@pytest.mark.parametrize(
    ("size", "status"), [(MIB, 200), (MIB + 1, 413), (2 * MIB, 200), (2 * MIB + 1, 413)]
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_route_has_a_limit_for_bodies(size: int, status: int, chunked: bool) -> None:
    app = compose(Settings.model_construct())

    @app.post("/default")
    async def count_default(request: Request) -> int:
        return len(await request.body())

    @app.post("/large")
    @max_body(2 * MIB)
    async def count_large(request: Request) -> int:
        return len(await request.body())

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(size)

    async def post() -> httpx2.Response:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            path = "/large" if size > MIB + 1 else "/default"
            return await client.post(path, content=chunks() if chunked else bytes(size))

    response = asyncio.run(post())
    assert response.status_code == status
