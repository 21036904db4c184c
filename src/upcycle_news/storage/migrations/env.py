"""Run by Alembic, with the connection of `database.migrate`, which owns the transaction."""

from alembic import context

from upcycle_news.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
