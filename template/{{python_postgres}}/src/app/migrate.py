"""Applies the database migrations, as a separate step before a new version starts."""

import logging
import os
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from app import telemetry
from app.config import fail, read_settings
from app.database import DatabaseSettings

MIGRATIONS = Path(__file__).parents[1] / "migrations"
CONNECT_TIMEOUT = 30  # seconds, for a database that starts at the same time

log = logging.getLogger(__name__)


def migrate() -> None:
    """Apply all pending migrations. Concurrent runs wait for each other."""
    telemetry.log_as_json("info")
    settings = read_settings(DatabaseSettings)
    with connect(settings.database) as connection:
        connection.execute(text("select pg_advisory_lock(hashtext('migrations'))"))
        connection.commit()
        try:
            upgrade(connection)
        except Exception as error:  # a migration is any code
            fail(f"the migrations failed: {getattr(error, 'orig', error)}")
    log.info("the database is up to date")


def upgrade(connection: Connection) -> None:
    """Upgrade the schema. One that a newer version of the service has migrated stays as it is."""
    config = configured(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    applied = MigrationContext.configure(connection).get_current_heads()
    connection.commit()  # in an open transaction Alembic would not commit
    if known.issuperset(applied):
        command.upgrade(config, "head")


def configured(connection: Connection) -> Config:
    """Return an Alembic configuration that uses this connection."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def connect(database: URL) -> Connection:
    """Connect, or exit if the database is unreachable until the timeout."""
    engine = create_engine(database, poolclass=NullPool, connect_args={"connect_timeout": 3})
    deadline = time.monotonic() + CONNECT_TIMEOUT
    while True:
        try:
            return engine.connect()
        except OperationalError as error:
            if time.monotonic() > deadline:
                reason = f"the database was unreachable for {CONNECT_TIMEOUT} s: {error.orig}"
                fail(reason, os.EX_TEMPFAIL)  # the chart's Job retries only this
            time.sleep(1)
