"""A service on disk: a folder with Copier's answers file and a registration."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.git import first_conflict_marker
from svcgen.yaml_files import read_yaml

ANSWERS_FILE = ".copier-answers.yml"
REGISTRATION_FILE = "chart/registration.yaml"
CALLERS_FILE = "chart/callers.yaml"
COMPOSE_FILE = "compose.yaml"  # of a service, and of the workspace
OPENAPI_FILE = "openapi.json"


@dataclass(frozen=True)
class Service:
    """The answers of one service, as of the time it was made or last updated."""

    name: str
    folder: Path
    stack: str
    kind: str
    database: str
    calls: tuple[str, ...]
    template: str
    version: str

    @property
    def registration(self) -> Path:
        """The file with the routes, auth, limits, timeouts and calls."""
        return self.folder / REGISTRATION_FILE

    @property
    def openapi(self) -> Path:
        """The committed copy of the response of `/openapi.json`."""
        return self.folder / OPENAPI_FILE


def is_service(folder: Path) -> bool:
    """Report whether a folder holds a service; a folder without read permission does not."""
    try:
        return (folder / ANSWERS_FILE).is_file() and (folder / REGISTRATION_FILE).is_file()
    except PermissionError:
        return False


def read_service(folder: Path) -> Service:
    """Read the service in a folder.

    Raises SvcgenError when its answers file cannot be read as one.
    """
    answers = read_answers(folder / ANSWERS_FILE)
    try:
        return Service(
            name=str(answers["name"]),
            folder=folder,
            stack=str(answers["stack"]),
            kind=str(answers.get("kind", "http")),
            database=str(answers.get("database", "none")),
            calls=tuple(str(name) for name in answers.get("calls") or ()),
            template=str(answers.get("_src_path", "")),
            version=str(answers.get("_commit", "")),
        )
    except KeyError as missing:
        raise SvcgenError(
            f"{folder / ANSWERS_FILE} has no answer {missing}.",
            "Restore the file from version control.",
        ) from missing


def variable(name: str) -> str:
    """Return a service's name as environment variables spell it: `order-items` is `ORDER_ITEMS`."""
    return name.upper().replace("-", "_")


def read_answers(path: Path) -> dict[str, Any]:
    """Read an answers file.

    Raises SvcgenError when it does not hold a map of answers, or has git's conflict markers.
    """
    line = 0
    with suppress(OSError):  # read_yaml reports it
        line = first_conflict_marker(path.read_bytes())
    if line:
        raise SvcgenError(
            f"{path} has the conflict markers of a merge, from line {line} on.",
            "Keep the side with the newer `_commit`, then `svcgen update` the service.",
        )
    answers = read_yaml(path)
    if not isinstance(answers, dict):
        raise SvcgenError(f"{path} holds no answers.", "Restore the file from version control.")
    return answers
