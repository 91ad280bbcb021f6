"""What Alembic runs: migrate over the connection that the store hands in, inside its transaction."""

from alembic import context

from lifesign.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the store's own transaction is around all of it
)
context.run_migrations()
