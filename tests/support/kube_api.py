"""An API server of Kubernetes that knows Secrets and Jobs: what Helm asks when a chart looks up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def _resources(version: str, name: str, kind: str) -> dict[str, Any]:
    resource = {"name": name, "kind": kind, "namespaced": True, "verbs": ["get", "list"]}
    return {"kind": "APIResourceList", "groupVersion": version, "resources": [resource]}


_BATCH = {"groupVersion": "batch/v1", "version": "v1"}
DISCOVERY: dict[str, Any] = {
    "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.2"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [{"name": "batch", "versions": [_BATCH], "preferredVersion": _BATCH}],
    },
    "/api/v1": _resources("v1", "secrets", "Secret"),
    "/apis/batch/v1": _resources("batch/v1", "jobs", "Job"),
}


@contextmanager
def api_server(namespace: str, secrets: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Serve an API with these Secrets and no Jobs; yield its URL."""
    jobs = {"kind": "JobList", "apiVersion": "batch/v1", "items": []}
    answers = {**DISCOVERY, f"/apis/batch/v1/namespaces/{namespace}/jobs": jobs}
    for name, data in secrets.items():
        secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": name}, "data": data}
        answers[f"/api/v1/namespaces/{namespace}/secrets/{name}"] = secret

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.partition("?")[0])
            missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
            body = json.dumps(found or {**missing, "reason": "NotFound"}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
