"""A workspace: any folder with services below it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from svcgen.env_file import ENV_FILE
from svcgen.errors import SvcgenError, did_you_mean
from svcgen.ownership import require_own
from svcgen.service import (
    ANSWERS_FILE,
    COMPOSE_FILE,
    REGISTRATION_FILE,
    Service,
    is_service,
    read_service,
)
from svcgen.settings import SETTINGS_FILE, Settings, read_settings

STATE_FOLDER = ".svcgen"
COMPOSE_MARK = "# Written by `svcgen compose`"
OVERRIDE_FILES = ("compose.override.yaml", "compose.override.yml")  # the user's own
# What svcgen reads and runs: all of it must belong to the user.
READ_AT_ROOT = (
    SETTINGS_FILE,
    STATE_FOLDER,
    COMPOSE_FILE,
    *OVERRIDE_FILES,
    "gateway",
)
READ_IN_SERVICE = (
    *(".", ANSWERS_FILE, REGISTRATION_FILE, COMPOSE_FILE, ENV_FILE),
    *("Makefile", "Dockerfile"),
)
LEVELS = 3
TEMPLATE_FILE = "copier.yml"
SKIPPED = frozenset({"node_modules", "target", "vendor", "dist", "build", "gateway"})


# A service's folder, and why its answers cannot be read.
Unreadable = tuple[Path, SvcgenError]


@dataclass(frozen=True)
class Workspace:
    """The services found below a root, sorted by name, and the settings of `svcgen.yaml`."""

    root: Path
    services: tuple[Service, ...]
    settings: Settings

    @property
    def state(self) -> Path:
        """The folder of run state and logs; git ignores it."""
        return self.root / STATE_FOLDER

    def service(self, name: str) -> Service:
        """Return the service of this name; without one, SvcgenError has the nearest name."""
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
    root = find_root(start.resolve())
    return _open(root, read_settings(root))


def open_as_it_runs(start: Path) -> tuple[Workspace, SvcgenError | None]:
    """Open a workspace whose fleet may run; also return why `svcgen.yaml` cannot be read.

    Its services are then those below the root. Raises SvcgenError as `open_workspace` otherwise.
    """
    root = find_root(start.resolve())
    settings, unread = Settings(), None
    try:
        settings = read_settings(root)
    except SvcgenError as error:
        unread = error
    return _open(root, settings), unread


def _open(root: Path, settings: Settings) -> Workspace:
    services, unreadable = find_services(root, settings)
    for _folder, error in unreadable:
        raise error
    return Workspace(root, services, settings)


def open_alone(folder: Path) -> Workspace:
    """Open the workspace of a service with this service alone; the others are not read.

    Raises SvcgenError when `svcgen.yaml` or the answers file cannot be read.
    """
    root = find_root(folder)
    require_own(folder, READ_IN_SERVICE, root)
    return Workspace(root, (read_service(folder),), read_settings(root))


def survey(start: Path, *, planned: Path | None = None) -> tuple[Workspace, tuple[Unreadable, ...]]:
    """Open a workspace; return separately the services that cannot be read.

    `planned` is the folder of a service that does not exist yet, which `folders` may list. Raises
    SvcgenError when `svcgen.yaml` cannot be read.
    """
    root = find_root(start.resolve())
    settings = read_settings(root)
    existing = tuple(name for name in settings.folders if root / name != planned)
    if settings.folders and not existing:
        return Workspace(root, (), settings), ()
    services, unreadable = find_services(root, settings.model_copy(update={"folders": existing}))
    return Workspace(root, services, settings), unreadable


def find_services(
    root: Path, settings: Settings
) -> tuple[tuple[Service, ...], tuple[Unreadable, ...]]:
    """Return the services of a workspace sorted by name, and those that cannot be read.

    They are the `folders` of the settings, or all that are found at most LEVELS folders down.
    Raises SvcgenError when one of `folders` is not a service.
    """
    listed = [root / name for name in settings.folders]
    for folder in listed:
        if not is_service(folder):
            raise SvcgenError(
                f"{root / SETTINGS_FILE} lists {folder}, which is not a service.",
                "Correct `folders`, or remove the key: svcgen finds services below the root.",
            )
    for folder in listed:
        if sum(folder.samefile(other) for other in listed) > 1:
            raise SvcgenError(
                f"`folders` in {root / SETTINGS_FILE} lists {folder} more than once.",
                "Remove the repeated entry from `folders`.",
            )
    services, unreadable = [], []
    for folder in listed or _found(root, LEVELS):
        try:
            require_own(folder, READ_IN_SERVICE, root)
            services.append(read_service(folder))
        except SvcgenError as error:
            unreadable.append((folder, error))
    services.sort(key=lambda service: (service.name, str(service.folder)))
    return tuple(services), tuple(unreadable)


def require_services(workspace: Workspace) -> None:
    """Raise SvcgenError when the workspace has no services."""
    if not workspace.services:
        raise SvcgenError(f"No services below {workspace.root}.", "Create one: svcgen new orders")


def find_root(start: Path) -> Path:
    """Return the nearest workspace at or above `start`; without one, `start`.

    A workspace has a svcgen.yaml, a `.svcgen/` or a compose.yaml of `svcgen compose`. From within a
    service, the default is its parent. Raises SvcgenError for files of another user in it.
    """
    for folder in (start, *start.parents):
        if is_root(folder):
            require_own(folder, (".", *READ_AT_ROOT), folder)
            return folder
    root = start.parent if is_service(start) else start
    require_own(root, READ_AT_ROOT, root)
    return root


def workspace_id(root: Path) -> str:
    """Return 16 hexadecimal digits that distinguish a root from others on this machine."""
    return hashlib.sha256(os.fsencode(root)).hexdigest()[:16]


def state_folder(root: Path) -> Path:
    """Make `.svcgen/`, which git ignores, and return it."""
    state = root / STATE_FOLDER
    state.mkdir(mode=0o700, exist_ok=True)
    if state.stat().st_mode & 0o077:  # it is of an older svcgen, or of a copy: it has keys
        state.chmod(0o700)
    ignore = state / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return state


def is_root(folder: Path) -> bool:
    """Report whether a folder has the mark of a workspace."""
    if (folder / SETTINGS_FILE).is_file() or (folder / STATE_FOLDER).is_dir():
        return True
    return is_stitched(folder)


def is_stitched(folder: Path) -> bool:
    """Report whether `svcgen compose` or `up` has written a folder's compose.yaml."""
    compose = folder / COMPOSE_FILE
    if not compose.is_file():
        return False
    with compose.open(encoding="utf-8", errors="replace") as file:
        return file.readline(len(COMPOSE_MARK)) == COMPOSE_MARK


def projects_below(root: Path) -> Iterator[Path]:
    """Yield every folder below `root` that a template made, however deep, but not in dot folders.

    What is below such a folder, or a service, is a part of it.
    """
    for name, folders, files in os.walk(root):
        folder = Path(name)
        if TEMPLATE_FILE in files:
            folders.clear()
        elif folder != root and (ANSWERS_FILE in files or is_service(folder)):
            folders.clear()
            if ANSWERS_FILE in files:
                yield folder
        folders[:] = sorted(
            each for each in folders if not each.startswith(".") and each != "node_modules"
        )


def _is_template(folder: Path) -> bool:
    try:
        return (folder / TEMPLATE_FILE).is_file()
    except PermissionError:
        return False


def _found(root: Path, levels: int) -> Iterator[Path]:
    """Yield services below a folder, but not below services, dot folders and tools' output.

    A folder that does not exist or cannot be read has none.
    """
    try:
        with os.scandir(root) as entries:
            folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    for entry in folders:
        if entry.name.startswith(".") or entry.name in SKIPPED:
            continue
        folder = Path(entry.path)
        if _is_template(folder):
            continue  # its files look like a service's
        if is_service(folder):
            yield folder
        elif levels > 1:
            yield from _found(folder, levels - 1)
