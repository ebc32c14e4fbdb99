"""Alembic's entry point; `migrate.upgrade` passes the connection."""

from alembic import context

from daemon.database.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
