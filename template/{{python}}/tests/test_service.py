"""Errors, OpenAPI, logs, metrics, configuration and shutdown."""

import json
import signal
import tempfile
import time
from pathlib import Path

import pytest
from running import Service, start, started

from app.items import PATH


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", PATH, 200),
        ("OPTIONS", PATH, 204),
        ("PUT", PATH, 405),
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
        assert response.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_openapi_json_is_up_to_date(service: Service) -> None:
    committed = json.loads(Path("openapi.json").read_text(encoding="utf-8"))
    assert service.http.get("/openapi.json").json() == committed, "run: make generate"


def test_a_request_is_logged_once_with_its_trace(service: Service) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    service.http.get(PATH, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    service.http.get("/livez")
    lines = [json.loads(line) for line in Path(service.log.name).read_text().splitlines()]
    (line,) = [line for line in lines if line["trace_id"] == trace]
    assert (line["msg"], line["http_route"], line["level"]) == ("request", PATH, "info")
    assert not [line for line in lines if line.get("url_path") == "/livez"]


def test_unknown_paths_share_one_time_series(service: Service) -> None:
    for path in ("/one", "/two"):
        service.http.request("NONSENSE", path)
    series = service.http.get("/metrics").text
    assert 'http_request_method="_OTHER",http_response_status_code="404",http_route=""' in series
    assert "/one" not in series


@pytest.mark.parametrize(("name", "value"), [("PORT", "70000"), ("LOG_LEVEL", "loud")])
def test_startup_fails_on_an_invalid_variable(
    environment: dict[str, str], name: str, value: str
) -> None:
    with tempfile.NamedTemporaryFile() as log:
        assert start({**environment, name: value}, log).wait(60) == 1
        (line,) = Path(log.name).read_text().splitlines()
    assert json.loads(line)["msg"].startswith(name)


def test_a_stopping_service_drains_and_exits_with_0(environment: dict[str, str]) -> None:
    with (
        tempfile.NamedTemporaryFile() as log,
        started({**environment, "DRAIN_SECONDS": "1"}, log) as stopping,
    ):
        stopping.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert stopping.http.get("/readyz").status_code == 503
        assert stopping.http.get(PATH).status_code == 200
        assert stopping.process.wait(30) == 0
