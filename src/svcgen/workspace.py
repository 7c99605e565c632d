"""A workspace: any folder with services below it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError, did_you_mean
from svcgen.service import Service, is_service, read_service
from svcgen.yaml_files import read_yaml

SETTINGS_FILE = "svcgen.yaml"
STATE_FOLDER = ".svcgen"
COMPOSE_MARK = "# Written by `svcgen compose`"
LEVELS = 3
PASSED_OVER = frozenset({"node_modules", "target", "vendor", "dist", "build", "gateway"})


# A service's folder, and why its answers cannot be read.
Unreadable = tuple[Path, SvcgenError]


@dataclass(frozen=True)
class Workspace:
    """The services found below a root, sorted by name, and what `svcgen.yaml` sets for them."""

    root: Path
    services: tuple[Service, ...]
    settings: Mapping[str, Any]

    @property
    def state(self) -> Path:
        """Run state and logs live here; git ignores it."""
        return self.root / STATE_FOLDER

    def service(self, name: str) -> Service:
        """Return the service of this name; SvcgenError names the nearest one when there is none."""
        for service in self.services:
            if service.name == name:
                return service
        names = [service.name for service in self.services]
        advice = did_you_mean(name, names, "`svcgen list` shows the services found.")
        raise SvcgenError(f'There is no service "{name}" below {self.root}.', advice)


def open_workspace(start: Path) -> Workspace:
    """Open the workspace that a folder belongs to.

    Raises SvcgenError when `svcgen.yaml` or an answers file cannot be read.
    """
    workspace, unreadable = survey(start)
    for _folder, error in unreadable:
        raise error
    return workspace


def survey(start: Path) -> tuple[Workspace, tuple[Unreadable, ...]]:
    """Open a workspace, and keep what is wrong with single services apart: the rest can go on.

    Raises SvcgenError when `svcgen.yaml` cannot be read.
    """
    root = find_root(start.resolve())
    settings = _read_settings(root)
    services, unreadable = [], []
    for folder in _listed(root, settings) or _found(root, LEVELS):
        try:
            services.append(read_service(folder))
        except SvcgenError as error:
            unreadable.append((folder, error))
    return Workspace(root, tuple(sorted(services, key=_by_name)), settings), tuple(unreadable)


def require_services(workspace: Workspace) -> None:
    """Raise SvcgenError when the workspace has no services."""
    if not workspace.services:
        raise SvcgenError(f"No services below {workspace.root}.", "Create one: svcgen new orders")


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above `start` that was a workspace before, else `start`."""
    for folder in (start, *start.parents):
        if _is_root(folder):
            return folder
    return start.parent if is_service(start) else start


def state_folder(root: Path) -> Path:
    """Make `.svcgen/`, which git is told to ignore, and return it."""
    state = root / STATE_FOLDER
    state.mkdir(mode=0o700, exist_ok=True)
    ignore = state / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return state


def _is_root(folder: Path) -> bool:
    if (folder / SETTINGS_FILE).is_file() or (folder / STATE_FOLDER).is_dir():
        return True
    compose = folder / "compose.yaml"
    if not compose.is_file():
        return False
    with compose.open(encoding="utf-8", errors="replace") as file:
        return file.readline().startswith(COMPOSE_MARK)


def _read_settings(root: Path) -> Mapping[str, Any]:
    path = root / SETTINGS_FILE
    settings = read_yaml(path) if path.is_file() else {}
    if settings is not None and not isinstance(settings, dict):
        raise SvcgenError(f"{path} must be a map of settings.", "See docs/registration.md.")
    return settings or {}


def _listed(root: Path, settings: Mapping[str, Any]) -> list[Path]:
    folders = [root / str(folder) for folder in settings.get("folders") or ()]
    for folder in folders:
        if not is_service(folder):
            raise SvcgenError(
                f"{root / SETTINGS_FILE} lists {folder}, which is no service.",
                "Correct `folders`, or remove it: services are found by themselves.",
            )
    return folders


def _found(root: Path, levels: int) -> Iterator[Path]:
    """Walk down, not into services, dot folders and folders that hold what tools made."""
    for entry in _folders(root):
        if entry.name.startswith(".") or entry.name in PASSED_OVER:
            continue
        folder = Path(entry.path)
        if is_service(folder):
            yield folder
        elif levels > 1:
            yield from _found(folder, levels - 1)


def _folders(root: Path) -> list[os.DirEntry[str]]:
    """List the folders in a folder; none in one that is not there yet or that is closed to us."""
    try:
        with os.scandir(root) as entries:
            return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _by_name(service: Service) -> tuple[str, str]:
    return service.name, str(service.folder)
