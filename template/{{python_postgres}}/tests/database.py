"""A schema for the tests, in the database of DATABASE_URL or of compose.yaml."""

import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from app import SERVICE

# A checkout has its own project: other checkouts' tests do not stop its database.
PROJECT = f"{SERVICE}-test-{zlib.crc32(bytes(Path.cwd())):08x}"
COMPOSE = ["docker", "compose", "--project-name", PROJECT]


@contextmanager
def created_schema() -> Iterator[str]:
    """Yield the URL of an empty schema: existing data is not touched."""
    with _server() as url, psycopg.connect(url, autocommit=True) as connection:
        schema = f"test_{uuid4().hex}"
        connection.execute(f"create schema {schema}")
        yield f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{schema}"
        connection.execute(f"drop schema {schema} cascade")


@contextmanager
def _server() -> Iterator[str]:
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    if not _docker_is_running():
        pytest.skip("no database: DATABASE_URL is not set, and Docker is not running")
    try:
        subprocess.run([*COMPOSE, "up", "--quiet-pull", "--wait", f"{SERVICE}-db"], check=True)
        port = subprocess.check_output([*COMPOSE, "port", f"{SERVICE}-db", "5432"], text=True)
        yield f"postgresql://{SERVICE}:dev@{port.strip()}/{SERVICE}"
    finally:
        subprocess.run([*COMPOSE, "down", "--volumes"], check=True)


def _docker_is_running() -> bool:
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], capture_output=True).returncode == 0
