"""What Alembic runs: the migrations, on the connection that ``schema`` brings.

The caller holds the lock and the transaction.
"""

from alembic import context

from landline_sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,
)
context.run_migrations()
