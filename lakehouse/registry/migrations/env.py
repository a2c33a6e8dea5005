"""What alembic runs: the migrations, on the connection (and in the transaction) that `migrate` hands over."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="migrations",
    version_table_schema="registry",
)
with context.begin_transaction():
    context.run_migrations()
