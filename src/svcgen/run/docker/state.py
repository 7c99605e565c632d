"""A workspace root as a Compose project: its name, its passwords and its numbers of replicas."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.files import read_text, write_atomic
from svcgen.run.docker.containers import Observed
from svcgen.run.docker.docker import docker
from svcgen.run.passwords import new_password, stored_passwords
from svcgen.service import Service, variable
from svcgen.workspace import STATE_FOLDER, state_folder
from svcgen.yaml_files import read_yaml

FILE = "docker.json"
PASSWORDS_FILE = "passwords.json"
BY_HAND = "dev"  # the password in a service's compose.yaml when the environment has none
DEFAULT_NAME = "svcgen"  # for a folder whose name has no letter that Compose allows


def project_name(root: Path, seen: Observed) -> str:
    """Return the project's name: of what runs, else compose.yaml's, else the folder's."""
    # As Compose derives it from the folder's name (compose-go, NormalizeProjectName).
    normalized = re.sub(r"[^-_a-z0-9]", "", root.name.lower()).lstrip("-_")
    return seen.project or _name_in(root / "compose.yaml") or normalized or DEFAULT_NAME


def _name_in(file: Path) -> str:
    try:
        content = read_yaml(file) if file.is_file() else None
    except SvcgenError:
        return ""  # a step that needs the file itself reports what is wrong with it
    return str(content.get("name") or "") if isinstance(content, dict) else ""


def require_own_name(project: str, seen: Observed) -> None:
    """Raise SvcgenError when another folder's fleet has the same project name."""
    if project in seen.others:
        raise SvcgenError(
            f"Another fleet has the name '{project}': the one in {seen.others[project]}.",
            "Stop it there: svcgen down. Or rename this folder.",
        )


def password_variables(root: Path, services: Sequence[Service], project: str) -> dict[str, str]:
    """Return `<NAME>_DB_PASSWORD` of every service with a database, and make missing ones.

    A volume that exists already has the password of a start by hand. The caller's own environment
    overrides all.
    """

    def make(name: str) -> str:
        volumes = docker("volume", "ls", "--format", "{{.Name}}").split()
        return BY_HAND if f"{project}_{name}-db" in volumes else new_password()

    names = [service.name for service in services if service.database != "none"]
    passwords = stored_passwords(state_folder(root) / PASSWORDS_FILE, names, make)
    variables = {f"{variable(name)}_DB_PASSWORD": word for name, word in passwords.items()}
    return {key: os.environ.get(key, word) for key, word in variables.items()}


def replica_counts(root: Path, names: Sequence[str], scale: Mapping[str, int]) -> dict[str, int]:
    """Return how many replicas each service gets: as requested now, else as before, else one.

    The numbers are kept in a file, because more replicas run while a service is replaced.
    """
    counts = {**_stored_counts(root), **scale}
    text = json.dumps({"scale": counts}, indent=2, sort_keys=True)
    write_atomic(state_folder(root) / FILE, text)
    return {name: counts.get(name, 1) for name in names}


def clear_state(root: Path) -> None:
    """Remove the numbers of replicas: the fleet has ended."""
    (root / STATE_FOLDER / FILE).unlink(missing_ok=True)


def _stored_counts(root: Path) -> dict[str, int]:
    try:
        content = json.loads(read_text(root / STATE_FOLDER / FILE) or "{}")
        return {str(name): int(count) for name, count in content["scale"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # not started yet, or written by another program: one replica each
