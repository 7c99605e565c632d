"""Brings the database up to date: a step of its own, before the new version starts."""

import logging
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from app import telemetry
from app.config import fail, read_settings
from app.store import StoreSettings

MIGRATIONS = Path(__file__).parents[1] / "migrations"
PATIENCE = 30  # seconds, for a database that starts at the same time

log = logging.getLogger(__name__)


def migrate() -> None:
    """Run all migrations that are missing. Two at once wait for each other."""
    telemetry.log_as_json("info")
    settings = read_settings(StoreSettings)
    with connect(settings.database) as connection:
        connection.execute(text("select pg_advisory_lock(hashtext('migrations'))"))
        connection.commit()
        command.upgrade(configured(connection), "head")
    log.info("the database is up to date")


def configured(connection: Connection) -> Config:
    """Return what Alembic's commands take, so that they use this connection."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def connect(database: URL) -> Connection:
    """Connect, or end the process when the database does not answer in time."""
    engine = create_engine(database, poolclass=NullPool, connect_args={"connect_timeout": 3})
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            return engine.connect()
        except OperationalError as error:
            if time.monotonic() > give_up:
                fail(f"the database was not reached within {PATIENCE} s: {error.orig}")
            time.sleep(1)
