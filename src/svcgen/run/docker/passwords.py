"""The databases' passwords: made once, kept in `.svcgen/`, passed on by environment."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.run.docker.docker import docker
from svcgen.service import variable
from svcgen.workspace import Workspace, state_folder

FILE = "passwords.json"
BY_HAND = "dev"  # what a service's compose.yaml takes when nobody gives a password


def passwords(workspace: Workspace, project: str) -> dict[str, str]:
    """Return `<NAME>_DB_PASSWORD` of every service with a database, made now where there is none.

    A volume that was there before has the password of a start by hand; the caller's own
    environment wins over all.
    """
    known = _read(workspace.state / FILE)
    names = [service.name for service in workspace.services if service.database != "none"]
    missing = [name for name in names if name not in known]
    if missing:
        volumes = set(docker("volume", "ls", "--format", "{{.Name}}").split())
        for name in missing:
            used = f"{project}_{name}-db" in volumes
            known[name] = BY_HAND if used else secrets.token_hex(16)
        _write(state_folder(workspace.root) / FILE, known)
    given = {f"{variable(name)}_DB_PASSWORD": word for name, word in known.items()}
    return {key: os.environ.get(key, word) for key, word in given.items()}


def _read(path: Path) -> dict[str, str]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SvcgenError(
            f"{path} cannot be read: {error}",
            "Restore it: the databases know no other passwords. Without it they must be made anew.",
        ) from error


def _write(path: Path, known: Mapping[str, str]) -> None:
    aside = path.with_suffix(".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(dict(sorted(known.items())), file, indent=2)
    aside.replace(path)
