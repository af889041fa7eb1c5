"""Endpoints whose host the broker observed follow their device."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; what is published stays where it is until its device waits anew."""
    op.add_column(
        "endpoints",
        sa.Column("observed", sa.Boolean, nullable=False, server_default=sa.text("0")),
    )
