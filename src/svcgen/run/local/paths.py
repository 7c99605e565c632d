"""The files of the local engine: sockets, passwords, logs, Envoy's and PostgreSQL's files."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.files import write_atomic
from svcgen.gateway.envoy.tls import FOLDER
from svcgen.workspace import STATE_FOLDER, workspace_id

SOCKET_PATH_LIMIT = 100
"""Bytes; `sun_path` holds 108 on Linux and 104 on macOS (unix(7), unix(4)), with its final NUL."""


@dataclass(frozen=True)
class Paths:
    """The files of one workspace's local fleet; a property makes no file."""

    root: Path

    @property
    def run(self) -> str:
        """Label of this workspace's processes. It needs no file, so processes are always found."""
        return workspace_id(self.root)

    @property
    def state(self) -> Path:
        """`.svcgen/`."""
        return self.root / STATE_FOLDER

    @property
    def logs(self) -> Path:
        """One file for each replica, `NAME-N.log`."""
        return self.state / "logs"

    @property
    def gateway(self) -> Path:
        """Envoy's files. Envoy watches this folder, so it is never replaced."""
        return self.state / "gateway"

    @property
    def certificates(self) -> Path:
        """The certificate and the key that Envoy shows to clients, in one file."""
        return self.state / FOLDER

    @property
    def bootstrap(self) -> Path:
        """What Envoy was started with: the bootstrap in `gateway`, fitted to this machine."""
        return self.state / "envoy.json"

    @property
    def data(self) -> Path:
        """PostgreSQL's data; `down` keeps it."""
        return self.state / "postgres"

    @property
    def passwords(self) -> Path:
        """The passwords of PostgreSQL's roles, by name."""
        return self.state / "postgres.json"

    @property
    def state_file(self) -> Path:
        """Exists while a fleet runs, and after its supervisor was killed."""
        return self.state / "local.json"

    @property
    def lock(self) -> Path:
        """Held by the one supervisor."""
        return self.state / "supervisor.lock"

    @property
    def supervisor_log(self) -> Path:
        """The output of the supervisor itself."""
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
        """Return the file with the output of a replica (`orders-1`)."""
        return self.logs / f"{replica}.log"

    def _socket(self, name: str) -> Path:
        beside = self.state / name
        if len(os.fsencode(beside)) <= SOCKET_PATH_LIMIT:
            return beside
        return _short_folder(self.state / "sockets", self.run) / name


def _short_folder(record: Path, run: str) -> Path:
    """Return a private folder with a short path; `record` keeps it, because TMPDIR may change."""
    if record.is_file():
        folder = Path(record.read_text(encoding="utf-8").strip())
    else:
        folder = Path(tempfile.gettempdir()) / f"svcgen-{os.getuid()}-{run}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if about.st_uid != os.getuid() or about.st_mode & 0o077 or folder.is_symlink():
        raise SvcgenError(f"{folder} is not your private folder.", "Remove it.")
    write_atomic(record, f"{folder}\n", 0o600)
    return folder


def clear_state(paths: Paths) -> None:
    """Remove the files of a running fleet; data, passwords and logs stay."""
    for path in (paths.socket, paths.admin, paths.bootstrap, paths.state_file, paths.lock):
        path.unlink(missing_ok=True)
    record = paths.state / "sockets"
    if record.exists():
        paths.socket.parent.rmdir()
        record.unlink()
