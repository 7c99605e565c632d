"""`svcgen demo`: create, start and call a small fleet."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

from svcgen.commands.down import down
from svcgen.commands.new import new_service
from svcgen.commands.up import UpResult, interrupt, up
from svcgen.errors import SvcgenError, counted
from svcgen.render.answers import Answers
from svcgen.run.engine import Report
from svcgen.toolchains import missing
from svcgen.workspace import open_workspace, state_folder

# One for each stack; each calls the service above it.
SERVICES: tuple[dict[str, Any], ...] = (
    {
        "name": "orders",
        "stack": "python",
        "database": "postgres",
        "description": "What customers have ordered.",
    },
    {"name": "catalog", "stack": "typescript", "description": "What can be ordered."},
    {"name": "pricing", "stack": "go", "description": "What it costs."},
    {"name": "billing", "stack": "java", "description": "What has to be paid."},
)
TIMEOUT = 10.0  # seconds for one response

Request = tuple[str, str, dict[str, str] | None]


@dataclass(frozen=True)
class DemoResponse:
    """One request through the gateway, and its response."""

    method: str
    path: str
    status: int
    body: Any


@dataclass(frozen=True)
class DemoResult:
    """A fleet that was created, started and called."""

    folder: Path
    fleet: UpResult
    answers: tuple[DemoResponse, ...]


@contextmanager
def demonstrate(engine: str | None, port: int | None, report: Report) -> Iterator[DemoResult]:
    """Create services in a temporary folder, start and call them; at the end remove all.

    There is one for each stack whose toolchain is on this machine, and at least two.
    Raises SvcgenError when a service does not become ready or a response is not a success.
    """
    signal.signal(signal.SIGTERM, interrupt)
    with tempfile.TemporaryDirectory(prefix="svcgen-demo-") as folder:
        root = Path(folder)
        services = choose_services()
        state_folder(root)
        for answers in services:
            made = new_service(root / answers["name"], Answers(answers))
            files = counted(len(made.files), "file")
            written = f"{files} in {answers['stack']} written to {made.folder}"
            report(made.name, written)
        try:
            fleet = up(open_workspace(root), engine=engine, port=port, report=report)
            responses = tuple(_ask(fleet.url, *request) for request in _requests(services))
            yield DemoResult(root, fleet, responses)
        finally:
            down(open_workspace(root), volumes=True, report=report)


def stays() -> bool:
    """Return whether the fleet runs until Ctrl-C; in CI it ends at once."""
    return os.environ.get("CI", "").lower() not in {"true", "1"}


def choose_services() -> list[dict[str, Any]]:
    """Return the answers of a service for each stack that can be built here, in a chain of calls.

    Where only Python's toolchain is installed, there are two Python services.
    """
    buildable = [service for service in SERVICES if not missing(service["stack"], os.environ)]
    python = [SERVICES[0], {**SERVICES[1], "stack": "python"}]
    chosen = buildable if len(buildable) > 1 else python
    callees: list[list[str]] = [[], *([service["name"]] for service in chosen)]
    return [{**service, "calls": calls} for service, calls in zip(chosen, callees, strict=False)]


def _requests(services: Sequence[Mapping[str, Any]]) -> Iterator[Request]:
    first, last = services[0]["name"], services[-1]["name"]
    yield "POST", f"/v1/{first}", {"name": "two apples"}
    yield "GET", f"/v1/{first}", None
    yield "GET", f"/v1/{last}/summary?depth={len(services) - 1}", None


def _ask(url: str, method: str, path: str, body: dict[str, str] | None) -> DemoResponse:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(  # noqa: S310 (the gateway's own URL)
        url + path, data, {"content-type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310 (as above)
            return DemoResponse(method, path, response.status, json.load(response))
    except (URLError, TimeoutError, ValueError) as error:
        raise SvcgenError(
            f"{method} {path} failed: {error}",
            "Read the services' logs: svcgen logs",
        ) from error
