"""The audit trail: who registered, logged in, was denied or revoked, and when.

It never holds a password, a hash or whom somebody called.
"""

from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from landline_sql.clock import now
from landline_sql.tables import audit

REGISTERED: Final = "registered"
LOGGED_IN: Final = "logged-in"
LOGGED_OUT: Final = "logged-out"
DENIED: Final = "denied"
REVOKED: Final = "revoked"

_insert = insert(audit).values(
    at=now(), what=bindparam("what"), name=bindparam("name"), address=bindparam("address")
)
_expired = delete(audit).where(audit.c.at < now() - bindparam("age"))
_entries = select(audit.c.what, audit.c.name, audit.c.address).order_by(audit.c.id)


def note(connection: Connection, what: str, name: str, address: str) -> None:
    """Add one entry."""
    connection.execute(_insert, {"what": what, "name": name, "address": address})


def entries(connection: Connection) -> list[tuple[str, str, str]]:
    """Return all entries as (what, user name, address), oldest first."""
    return [(what, name, address) for what, name, address in connection.execute(_entries)]


def expire(connection: Connection, age: float) -> None:
    """Delete what is older than ``age`` seconds."""
    connection.execute(_expired, {"age": age})
