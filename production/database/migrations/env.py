"""Alembic asks here how to reach the database: it is given a connection, see `production.database.revision`."""

from alembic import context

from production.database.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite changes a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
