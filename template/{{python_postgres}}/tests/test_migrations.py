"""The migrations: complete, repeatable, and safe when two replicas start them at once."""

import tempfile

from alembic import command
from running import start
from sqlalchemy import NullPool, create_engine, make_url

from app.migrate import configured


def test_two_at_once_wait_for_each_other(environment: dict[str, str]) -> None:
    with tempfile.TemporaryFile() as log:
        both = [start(environment, log, "migrate") for _ in range(2)]
        assert [one.wait(30) for one in both] == [0, 0]


def test_the_tables_are_those_that_the_code_expects(environment: dict[str, str]) -> None:
    url = make_url(environment["DATABASE_URL"]).set(drivername="postgresql+psycopg")
    with create_engine(url, poolclass=NullPool).connect() as connection:
        command.check(configured(connection))
