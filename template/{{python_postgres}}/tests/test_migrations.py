"""The migrations match the code and are safe to run concurrently."""

import tempfile

from alembic import command
from running import start
from sqlalchemy import NullPool, create_engine, make_url

from app.migrate import configured


def test_concurrent_migrations_succeed(environment: dict[str, str]) -> None:
    with tempfile.TemporaryFile() as log:
        processes = [start(environment, log, "migrate") for _ in range(2)]
        assert [process.wait(30) for process in processes] == [0, 0]


def test_the_schema_matches_the_table_definitions(environment: dict[str, str]) -> None:
    url = make_url(environment["DATABASE_URL"]).set(drivername="postgresql+psycopg")
    with create_engine(url, poolclass=NullPool).connect() as connection:
        command.check(configured(connection))
