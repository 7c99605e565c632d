"""`svcgen demo`: the product in a minute."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn
from urllib.error import URLError

from svcgen.commands.down import down
from svcgen.commands.new import new_service
from svcgen.commands.up import UpResult, up
from svcgen.errors import SvcgenError
from svcgen.run.engine import Report
from svcgen.workspace import open_workspace, state_folder

SERVICES: tuple[dict[str, Any], ...] = (
    {"name": "orders", "database": "postgres", "description": "What customers have ordered."},
    {"name": "catalog", "calls": ["orders"], "description": "What can be ordered."},
)
REQUESTS: tuple[tuple[str, str, dict[str, str] | None], ...] = (
    ("POST", "/v1/orders", {"name": "two apples"}),
    ("GET", "/v1/orders", None),
    ("GET", "/v1/catalog/summary?depth=1", None),
)
PATIENCE = 10.0  # seconds for one answer


@dataclass(frozen=True)
class Answer:
    """One request through the gateway and what came back."""

    method: str
    path: str
    status: int
    body: Any


@dataclass(frozen=True)
class Demo:
    """A fleet that was made, started and called."""

    folder: Path
    fleet: UpResult
    answers: tuple[Answer, ...]


@contextmanager
def demonstrate(engine: str | None, port: int | None, report: Report) -> Iterator[Demo]:
    """Make two services in a folder for the purpose, run and call them; in the end, end all.

    Raises SvcgenError when a service does not become ready or an answer is not a success.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    with tempfile.TemporaryDirectory(prefix="svcgen-demo-") as folder:
        root = Path(folder)
        _write(root, report)
        try:
            fleet = up(open_workspace(root), engine=engine, port=port, report=report)
            yield Demo(root, fleet, tuple(_ask(fleet.url, *request) for request in REQUESTS))
        finally:
            down(open_workspace(root), volumes=True, report=report)


def stays() -> bool:
    """Tell whether the demonstration goes on until Ctrl-C: not in CI, where nobody looks."""
    return os.environ.get("CI", "").lower() not in {"true", "1"}


def _write(root: Path, report: Report) -> None:
    state_folder(root)
    for answers in SERVICES:
        made = new_service(root / str(answers["name"]), answers)
        report(made.name, f"{len(made.files)} files written to {made.folder}")


def _ask(url: str, method: str, path: str, body: dict[str, str] | None) -> Answer:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(  # noqa: S310 (the gateway's own URL)
        url + path, data, {"content-type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 (as above)
            return Answer(method, path, answer.status, json.load(answer))
    except (URLError, TimeoutError, ValueError) as error:
        raise SvcgenError(
            f"{method} {path} was not answered as it should be: {error}",
            "`svcgen logs` shows what the services say.",
        ) from error


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
