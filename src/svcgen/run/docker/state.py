"""A workspace root as a Compose project: its name, its passwords and its numbers of replicas."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from svcgen.compose.compose_file import ComposeFile
from svcgen.errors import SvcgenError
from svcgen.files import read_text, write_atomic
from svcgen.run.docker.containers import Observed
from svcgen.run.docker.docker import IMAGES_FILE, docker
from svcgen.run.memory import recall
from svcgen.run.passwords import new_password, stored_passwords
from svcgen.service import COMPOSE_FILE, Service, variable
from svcgen.workspace import STATE_FOLDER, state_folder, workspace_id
from svcgen.yaml_files import read_yaml

FILE = "docker.json"
PASSWORDS_FILE = "passwords.json"
BY_HAND = "dev"  # the password in a service's compose.yaml when the environment has none
LOCAL_REGISTRY = "svcgen.local"  # nothing is pulled from it: RFC 6762, section 3, reserves .local
DEFAULT_NAME = "svcgen"  # for a folder whose name has no letter that Compose allows


def project_name(root: Path, seen: Observed) -> str:
    """Return the project's name: of what runs, else compose.yaml's, else one of this root alone.

    Two checkouts of one repository have folders of one name. So the name has a part that depends
    on the path. A root keeps its name, and so its volumes, when it is moved.
    """
    named = seen.project or _name_in(root / COMPOSE_FILE) or recall(root).project
    if named:
        return named
    # As Compose derives it from the folder's name (compose-go, NormalizeProjectName).
    normalized = re.sub(r"[^-_a-z0-9]", "", root.name.lower()).lstrip("-_") or DEFAULT_NAME
    # Before svcgen remembered the name, it was the folder's: volumes have it.
    earlier = (root / STATE_FOLDER / PASSWORDS_FILE).exists()
    return normalized if earlier else f"{normalized}-{short_id(root)}"


def short_id(root: Path) -> str:
    """Return the part of a Docker name that distinguishes this root from others."""
    return workspace_id(root)[:8]


def write_image_names(root: Path, files: Iterable[ComposeFile]) -> None:
    """Give each image that is built a name of this root, in the file that Compose reads last.

    The name in a service's own compose.yaml is the same in every checkout on this machine. Its
    services that share an image still share it.
    """
    images = {}
    for file in files:
        owners: dict[str, str] = {}
        for service, image in file.built.items():
            owner = owners.setdefault(image, service)
            images[service] = {"image": f"{LOCAL_REGISTRY}/{short_id(root)}/{owner}:dev"}
    state_folder(root)
    write_atomic(root / IMAGES_FILE, json.dumps({"services": images}, indent=2))


def remove_images(root: Path, services: Iterable[str] = ("*",)) -> None:
    """Remove the images that were built for this root, or for these services of it."""
    form, options = "{{.Repository}}:{{.Tag}}", []
    for service in services:
        options += ["--filter", f"reference={LOCAL_REGISTRY}/{short_id(root)}/{service}"]
    if options and (names := docker("image", "ls", *options, "--format", form).split()):
        docker("image", "rm", *names, tolerate=True)


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
    overrides all. Raises SvcgenError when a volume of svcgen exists and its password is lost.
    """

    def make(name: str) -> str:
        volumes, volume = docker("volume", "ls", "--format", "{{.Name}}").split(), f"{name}-db"
        key = f"{variable(name)}_DB_PASSWORD"
        if f"{project}_{volume}" not in volumes:
            return new_password()
        if key not in os.environ and project.endswith(f"-{short_id(root)}"):
            raise SvcgenError(
                f"The volume {project}_{volume} has the data of {name}'s database, and its "
                f"password is lost: {root / STATE_FOLDER / PASSWORDS_FILE} does not have it.",
                f"Restore the file, or name the password: {key}=... svcgen up\n"
                "Or delete the data of all databases: svcgen down --volumes",
            )
        return os.environ.get(key, BY_HAND)

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


def forget_replicas(root: Path, name: str) -> None:
    """Remove the number of replicas of one service."""
    counts = _stored_counts(root)
    if counts.pop(name, None):
        text = json.dumps({"scale": counts}, indent=2, sort_keys=True)
        write_atomic(root / STATE_FOLDER / FILE, text)


def _stored_counts(root: Path) -> dict[str, int]:
    try:
        content = json.loads(read_text(root / STATE_FOLDER / FILE) or "{}")
        return {str(name): int(count) for name, count in content["scale"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # not started yet, or written by another program: one replica each
