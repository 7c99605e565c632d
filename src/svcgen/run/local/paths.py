"""Where the local engine keeps what it must find again: sockets, passwords, logs, Envoy's files."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.workspace import STATE_FOLDER

SOCKET_PATH_LIMIT = 100
"""Bytes; `sun_path` holds 108 on Linux and 104 on macOS (unix(7), unix(4)), with its end mark."""


@dataclass(frozen=True)
class Paths:
    """The files of one workspace's local fleet; nothing is made by asking for them."""

    root: Path

    @property
    def run(self) -> str:
        """Mark of this workspace's processes: the same each time, so no lost file loses them."""
        return hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]

    @property
    def state(self) -> Path:
        """`.svcgen/`."""
        return self.root / STATE_FOLDER

    @property
    def logs(self) -> Path:
        """One file a replica, `NAME-N.log`."""
        return self.state / "logs"

    @property
    def gateway(self) -> Path:
        """Envoy's files; Envoy watches this folder, so it is never replaced."""
        return self.state / "gateway"

    @property
    def data(self) -> Path:
        """PostgreSQL's data, which `down` keeps."""
        return self.state / "postgres"

    @property
    def passwords(self) -> Path:
        """Of the database's roles, by name."""
        return self.state / "postgres.json"

    @property
    def state_file(self) -> Path:
        """Stands while a fleet runs, and after one that was cut off."""
        return self.state / "local.json"

    @property
    def lock(self) -> Path:
        """Held by the one supervisor."""
        return self.state / "supervisor.lock"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor itself has to say."""
        return self.logs / "supervisor.log"

    @property
    def socket(self) -> Path:
        """Where the supervisor listens."""
        return self._socket("supervisor.sock")

    @property
    def admin(self) -> Path:
        """Where Envoy's admin listens."""
        return self._socket("envoy.sock")

    def log(self, replica: str) -> Path:
        """Return the file that takes what a replica (`orders-1`) writes."""
        return self.logs / f"{replica}.log"

    def _socket(self, name: str) -> Path:
        beside = self.state / name
        if len(os.fsencode(beside)) <= SOCKET_PATH_LIMIT:
            return beside
        return _short_folder(self.state / "sockets", self.run) / name


def _short_folder(record: Path, run: str) -> Path:
    """Return a folder of ours with a short path; `record` keeps it although TMPDIR may change."""
    if record.is_file():
        folder = Path(record.read_text(encoding="utf-8").strip())
    else:
        folder = Path(tempfile.gettempdir()) / f"svcgen-{os.getuid()}-{run}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if about.st_uid != os.getuid() or about.st_mode & 0o077 or folder.is_symlink():
        raise SvcgenError(f"{folder} is not a private folder of yours.", "Remove it.")
    write_aside(record, f"{folder}\n")
    return folder


def write_aside(path: Path, text: str) -> None:
    """Write a file readable to its owner alone, in one step: readers see the old or the new one."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    aside.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_aside` wrote; {} when there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def clear_state(paths: Paths) -> None:
    """Remove what only a running fleet needs; data, passwords and logs stay."""
    for path in (paths.socket, paths.admin, paths.state_file, paths.lock):
        path.unlink(missing_ok=True)
    record = paths.state / "sockets"
    if record.exists():
        paths.socket.parent.rmdir()
        record.unlink()
