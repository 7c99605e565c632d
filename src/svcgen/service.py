"""A service on disk: a folder with a registration, and Copier's answers if it has a template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from svcgen.errors import SvcgenError
from svcgen.files import read_file
from svcgen.git import first_conflict_marker
from svcgen.yaml_files import read_yaml

ANSWERS_FILE = ".copier-answers.yml"
REGISTRATION_FILE = "chart/registration.yaml"
CALLERS_FILE = "chart/callers.yaml"
COMPOSE_FILE = "compose.yaml"  # of a service, and of the workspace
OPENAPI_FILE = "openapi.json"
_DNS_NAME = "a name as in DNS: lower-case letters, digits and hyphens"
NAME_RULE = f"must be {_DNS_NAME}"
NAME_PATTERN = r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?"
"""A service's name: a label of RFC 1035, section 2.3.1, with at most 40 characters."""


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


def is_name(name: object) -> TypeGuard[str]:
    """Report whether a value can be the name of a service."""
    return isinstance(name, str) and re.fullmatch(NAME_PATTERN, name) is not None


def is_service(folder: Path) -> bool:
    """Report whether a folder holds a service; a folder without read permission does not."""
    try:
        return (folder / REGISTRATION_FILE).is_file()
    except PermissionError:
        return False


def has_template(folder: Path) -> bool:
    """Report whether a folder was made from a template, be it a service or another project."""
    try:
        return (folder / ANSWERS_FILE).is_file()
    except PermissionError:
        return False


def read_service(folder: Path) -> Service:
    """Read the service in a folder; one without an answers file has no template.

    A template need not ask for a name: then it is the registration's, else the folder's. Raises
    SvcgenError when a file cannot be read, or has a name that cannot be a service's.
    """
    made = has_template(folder)
    file = folder / (ANSWERS_FILE if made else REGISTRATION_FILE)
    answers = read_answers(file) if made else {}
    name = answers.get("name")
    if is_service(folder):
        name = _service_name(file, folder, answers)
    elif not is_name(name):
        name = folder.name
    calls = answers.get("calls") or ()
    if not isinstance(calls, list | tuple):
        raise _refused(file, "calls", calls, "write a list of names")
    return Service(
        name=str(name),
        folder=folder,
        stack=_word(file, answers, "stack", ""),
        kind=_word(file, answers, "kind", "http"),
        database=_word(file, answers, "database", "none"),
        calls=tuple(_word(file, {"calls": called}, "calls", "") for called in calls),
        template=_line(file, answers, "_src_path"),
        version=_line(file, answers, "_commit"),
    )


_WORD = re.compile(r"[\w.+-]*", re.ASCII)


def _service_name(file: Path, folder: Path, answers: Mapping[str, Any]) -> str:
    """Return a service's name: its answer, else the one in its registration, else the folder's."""
    name: object = answers.get("name", folder.name)
    if "name" not in answers:
        with suppress(SvcgenError):  # who reads the registration reports it
            content = read_yaml(folder / REGISTRATION_FILE)
            name = content.get("service", name) if isinstance(content, dict) else name
    if not is_name(name):
        raise _refused(file, "name", name, f"write {_DNS_NAME}")
    return str(name)


def _word(file: Path, answers: Mapping[str, Any], question: str, default: str) -> str:
    answer = str(answers.get(question, default))
    if not _WORD.fullmatch(answer):
        raise _refused(file, question, answer, "write one word")
    return answer


def _line(file: Path, answers: Mapping[str, Any], key: str) -> str:
    value = str(answers.get(key, ""))
    if not value.isprintable():
        raise _refused(file, key, value, "write one line without control characters")
    return value


def _refused(file: Path, question: str, answer: object, advice: str) -> SvcgenError:
    shown = f"{answer!r:.80}"
    return SvcgenError(
        f"{file}: `{question}` is {shown}: {advice}.", "Restore the file from version control."
    )


def variable(name: str) -> str:
    """Return a service's name as environment variables spell it: `order-items` is `ORDER_ITEMS`."""
    return name.upper().replace("-", "_")


_COPIES, _COPY_SUFFIX = "clients", ".openapi.json"


def client_copy(folder: Path, callee: str) -> Path:
    """Return where a service keeps its copy of a callee's OpenAPI document."""
    return folder / _COPIES / f"{callee}{_COPY_SUFFIX}"


def client_copies(folder: Path) -> list[str]:
    """Return the callees whose OpenAPI documents a service has a copy of, sorted."""
    found = (folder / _COPIES).glob(f"*{_COPY_SUFFIX}")
    return sorted(path.name.removesuffix(_COPY_SUFFIX) for path in found)


def url_variable(name: str) -> str:
    """Return the environment variable that has the base URL of a called service."""
    return f"{variable(name)}_URL"


def read_answers(path: Path) -> dict[str, Any]:
    """Read an answers file.

    Raises SvcgenError when it does not hold a map of answers, or has git's conflict markers.
    """
    line = 0
    with suppress(OSError, ValueError):  # read_yaml reports it
        line = first_conflict_marker(read_file(path))
    if line:
        raise SvcgenError(
            f"{path} has the conflict markers of a merge, from line {line} on.",
            "Keep the side with the newer `_commit`, then `svcgen update` the service.",
        )
    answers = read_yaml(path)
    if not isinstance(answers, dict):
        raise SvcgenError(f"{path} holds no answers.", "Restore the file from version control.")
    return answers
