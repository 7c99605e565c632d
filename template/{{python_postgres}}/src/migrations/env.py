"""Alembic environment: for app.migrate, and for `make migration`."""

from alembic import context
from sqlalchemy import Connection

from app.config import read_settings
from app.database import DatabaseSettings
from app.migrate import connect
from app.service import TABLES


def run(connection: Connection) -> None:
    context.configure(connection, target_metadata=TABLES)
    with context.begin_transaction():
        context.run_migrations()


opened = context.config.attributes.get("connection")
if opened:
    run(opened)
else:  # `make migration` compares the tables of the service with those of DATABASE_URL
    with connect(read_settings(DatabaseSettings).database) as connection:
        run(connection)
