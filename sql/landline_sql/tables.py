"""The tables of a broker's database.

Shapes only: what is written to them and when is the other modules' affair.
Times are seconds since 1970 by the database's clock; keys, ids and request ids
are raw octets. ``migrations`` must lead to exactly these tables.
"""

from typing import Any, Final

from sqlalchemy import (
    BINARY,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine

from landline_protocol.limits import (
    CALL_ID_OCTETS,
    HOST_MAX,
    KEY_OCTETS,
    NAME_MAX,
    REQUEST_ID_OCTETS,
)

ADDRESS_MAX: Final = 64
HASH_OCTETS: Final = 60

# Names compare octet by octet on every database, or paging by name would skip.
MYSQL: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def octets(length: int) -> TypeEngine[bytes]:
    """Return the type of exactly ``length`` octets."""
    return LargeBinary(length).with_variant(BINARY(length), "mysql")


def counter() -> TypeEngine[int]:
    """Return the type of a key that the database counts up."""
    return BigInteger().with_variant(Integer(), "sqlite")


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# ``request_id`` and ``registered_by`` (a device key) let a repeated ``register``
# get its first answer again. ``port`` is null when the range was used up.
users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(NAME_MAX), nullable=False, unique=True),
    Column("hash", String(HASH_OCTETS), nullable=False),
    Column("port", Integer, unique=True),
    Column("request_id", octets(REQUEST_ID_OCTETS), nullable=False),
    Column("registered_by", octets(KEY_OCTETS), nullable=False),
    Column("created_at", Double, nullable=False),
    **MYSQL,
)

devices = Table(
    "devices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", octets(KEY_OCTETS), nullable=False, unique=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("session_until", Double, nullable=False),
    Column("revoked_at", Double),
    **MYSQL,
)

# ``state`` is one of states.WAITING, CLAIMED, ENGAGED. A claim that nobody
# vetted before ``claim_until`` counts as waiting again. A host that was ``observed``,
# not named by the device, follows the device.
endpoints = Table(
    "endpoints",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("host", String(HOST_MAX), nullable=False),
    Column("port", Integer, nullable=False),
    Column("state", String(8), nullable=False),
    Column("lease_until", Double, nullable=False, index=True),
    Column("claim_until", Double),
    Column("call_id", octets(CALL_ID_OCTETS)),
    Column("request_id", octets(REQUEST_ID_OCTETS), nullable=False),
    Column("observed", Boolean, nullable=False, server_default=text("0")),
    UniqueConstraint("host", "port"),
    **MYSQL,
)

calls = Table(
    "calls",
    metadata,
    Column("id", octets(CALL_ID_OCTETS), primary_key=True),
    Column("request_id", octets(REQUEST_ID_OCTETS), nullable=False),
    Column("caller_id", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False),
    Column("callee_id", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", Double, nullable=False, index=True),
    Column("vetted_at", Double),
    Index(None, "caller_id", "request_id"),
    **MYSQL,
)

# ``account`` is empty in the row that counts for the whole address.
throttle = Table(
    "throttle",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("account", String(NAME_MAX), primary_key=True),
    Column("address", String(ADDRESS_MAX), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("at", Double, nullable=False, index=True),
    Column("blocked_until", Double, nullable=False),
    **MYSQL,
)

audit = Table(
    "audit",
    metadata,
    Column("id", counter(), primary_key=True),
    Column("at", Double, nullable=False, index=True),
    Column("what", String(16), nullable=False),
    Column("name", String(NAME_MAX), nullable=False),
    Column("address", String(ADDRESS_MAX), nullable=False),
    **MYSQL,
)
