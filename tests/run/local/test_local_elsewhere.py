"""Calls to services that the workspace does not have: one with a URL, one not checked out."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from tests.support.local_fleet import LocalWorkspace, tiny, workspace
from tests.support.run import svcgen

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


class Payments(BaseHTTPRequestHandler):
    """A service of somebody else."""

    def do_GET(self) -> None:
        body = json.dumps({"payments": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def running() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Payments)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/base"
    finally:
        server.shutdown()
        server.server_close()


def fetch(url: str) -> tuple[int, str, dict[str, object]]:
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.headers["content-type"], json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["content-type"], json.load(error)


def test_a_caller_starts_without_its_callees(shop: LocalWorkspace) -> None:
    orders = tiny(shop.root, "orders", calls=["payments", "catalog"])
    (orders / "clients").mkdir()
    (orders / "clients/catalog.openapi.json").write_text(json.dumps({"paths": {}}))
    with running() as url:
        (shop.root / "svcgen.yaml").write_text(f"external: {{payments: {{url: {url}}}}}\n")
        up = svcgen("up", "--engine", "local", "--port", str(shop.port), within=shop.root)
        assert up.returncode == 0, up.stderr
        assert '"catalog" is not in this workspace, so calls to it get 503' in up.stderr
        called = shop.get("/v1/orders/call/payments")
        assert called == (200, {"payments": "/base/v1/payments"})
        environment = psutil.Process(shop.pids("orders")[0]).environ()
        status, kind, problem = fetch(f"{environment['CATALOG_URL']}/v1/catalog")
        assert (status, kind, problem["status"]) == (503, "application/problem+json", 503)
        assert "not in this workspace" in str(problem["detail"])
        # Checked out, it gets the calls at the address that its caller has already.
        tiny(shop.root, "catalog")
        shop.up()
        assert shop.get("/v1/orders/call/catalog")[1]["service"] == "catalog"
        assert shop.pids("orders") == [int(shop.get("/v1/orders")[1]["pid"])]
