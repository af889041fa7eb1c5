"""The first tables."""

import sqlalchemy as sa
from alembic import op

from landline_sql.tables import MYSQL, counter, octets

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("hash", sa.String(60), nullable=False),
        sa.Column("port", sa.Integer),
        sa.Column("request_id", octets(16), nullable=False),
        sa.Column("registered_by", octets(32), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
        sa.UniqueConstraint("port", name="uq_users_port"),
        **MYSQL,
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key", octets(32), nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("session_until", sa.Double, nullable=False),
        sa.Column("revoked_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint("key", name="uq_devices_key"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_devices_user_id"),
        **MYSQL,
    )
    op.create_index("ix_devices_user_id", "devices", ["user_id"])
    op.create_table(
        "endpoints",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.Column("claim_until", sa.Double),
        sa.Column("call_id", octets(16)),
        sa.Column("request_id", octets(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_endpoints"),
        sa.UniqueConstraint("host", "port", name="uq_endpoints_host_port"),
        sa.UniqueConstraint("device_id", name="uq_endpoints_device_id"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name="fk_endpoints_device_id", ondelete="CASCADE"
        ),
        **MYSQL,
    )
    op.create_index("ix_endpoints_lease_until", "endpoints", ["lease_until"])
    op.create_table(
        "calls",
        sa.Column("id", octets(16), nullable=False),
        sa.Column("request_id", octets(16), nullable=False),
        sa.Column("caller_id", sa.Integer, nullable=False),
        sa.Column("callee_id", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("vetted_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
        sa.ForeignKeyConstraint(
            ["caller_id"], ["devices.id"], name="fk_calls_caller_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["callee_id"], ["devices.id"], name="fk_calls_callee_id", ondelete="CASCADE"
        ),
        **MYSQL,
    )
    op.create_index("ix_calls_caller_id_request_id", "calls", ["caller_id", "request_id"])
    op.create_index("ix_calls_callee_id", "calls", ["callee_id"])
    op.create_index("ix_calls_expires_at", "calls", ["expires_at"])
    op.create_table(
        "throttle",
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("blocked_until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("kind", "account", "address", name="pk_throttle"),
        **MYSQL,
    )
    op.create_index("ix_throttle_at", "throttle", ["at"])
    op.create_table(
        "audit",
        sa.Column("id", counter(), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        **MYSQL,
    )
    op.create_index("ix_audit_at", "audit", ["at"])
