"""A workspace root as a Compose project: its name, and what svcgen remembers of its run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.run.docker.containers import LABEL, containers
from svcgen.run.docker.docker import docker
from svcgen.workspace import STATE_FOLDER, state_folder
from svcgen.yaml_files import read_yaml

FILE = "docker.json"
NAMELESS = "svcgen"  # a folder whose name has no letter that Compose allows


def project_name(root: Path) -> str:
    """Return the project's name: of what runs, else compose.yaml's, else the folder's."""
    running = next((container.project for container in containers(root)), "")
    return running or _written(root / "compose.yaml") or _allowed(root.name) or NAMELESS


def _written(file: Path) -> str:
    try:
        told = read_yaml(file) if file.is_file() else None
    except SvcgenError:
        return ""  # whoever needs the file itself will say what is wrong with it
    return str(told.get("name") or "") if isinstance(told, dict) else ""


def _allowed(folder: str) -> str:
    """Make a project name of a folder's as Compose does (compose-go, NormalizeProjectName)."""
    return re.sub(r"[^-_a-z0-9]", "", folder.lower()).lstrip("-_")


def require_own_name(root: Path, project: str) -> None:
    """Raise SvcgenError when another folder's fleet has the same project name."""
    form = f'{{{{.Label "{LABEL}project.working_dir"}}}}'
    wanted = f"label={LABEL}project={project}"
    folders = docker("ps", "--all", "--filter", wanted, "--format", form).splitlines()
    other = next((folder for folder in folders if folder and folder != str(root)), None)
    if other:
        raise SvcgenError(
            f'Another fleet is called "{project}": the one in {other}.',
            "End it with `svcgen down` there, or give this folder another name.",
        )


def replica_counts(root: Path, names: Sequence[str], scale: Mapping[str, int]) -> dict[str, int]:
    """Return how many replicas each service is to have: as asked now, else before, else one.

    The numbers are kept in a file: what runs may be more for a moment while one is replaced.
    """
    known = {**_read(root), **scale}
    state_folder(root)
    aside = root / STATE_FOLDER / f"{FILE}.new"
    aside.write_text(json.dumps({"scale": known}, indent=2, sort_keys=True), encoding="utf-8")
    aside.replace(root / STATE_FOLDER / FILE)
    return {name: known.get(name, 1) for name in names}


def clear_state(root: Path) -> None:
    """Forget the numbers of replicas: the fleet has ended."""
    (root / STATE_FOLDER / FILE).unlink(missing_ok=True)


def _read(root: Path) -> dict[str, int]:
    try:
        told = json.loads((root / STATE_FOLDER / FILE).read_text(encoding="utf-8"))
        return {str(name): int(count) for name, count in told["scale"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # never started, or written by something else: one replica each
