"""Alembic environment: runs the migrations on the connection opened by app.migrate."""

from alembic import context

from app.store import metadata

context.configure(context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
