"""Alembic environment: for app.migrate, and for `make migration`."""

from alembic import context
from sqlalchemy import Connection

from app.config import read_settings
from app.migrate import connect
from app.store import StoreSettings, metadata


def run(connection: Connection) -> None:
    context.configure(connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


opened = context.config.attributes.get("connection")
if opened:
    run(opened)
else:  # `make migration` compares the tables in app.store with those of DATABASE_URL
    with connect(read_settings(StoreSettings).database) as connection:
        run(connection)
