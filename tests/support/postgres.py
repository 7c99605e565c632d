"""A PostgreSQL server for the databases of tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator

import pytest

from svcgen.ports import free_port


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[str], str]]:
    """Start PostgreSQL; the function that is returned makes an empty database and its URL."""
    from svcgen.run.local.supervisor.postgres import find_postgres

    port = free_port()
    user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    # Not below pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="svcgen-contract-") as folder:
        if user:
            shutil.chown(folder, user)

        def run(program: str, *arguments: str) -> None:
            command = [f"{find_postgres()}/{program}", *arguments]
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
