"""Devices: which key is whose, until when, and which keys are revoked."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from landline_sql.clock import now
from landline_sql.errors import NotLoggedIn, Revoked
from landline_sql.tables import calls, devices, endpoints, users


@dataclass(frozen=True)
class Session:
    """A device that is logged in, and its user."""

    device_id: int
    user_id: int
    name: str
    port: int | None


@dataclass(frozen=True)
class Device:
    """A device as an operator sees it."""

    key: bytes
    logged_in: bool
    revoked: bool


_by_key = devices.c.key == bindparam("k")
live: Final = (devices.c.revoked_at.is_(None)) & (devices.c.session_until > now())

_session = (
    select(devices.c.id, devices.c.user_id, users.c.name, users.c.port)
    .join_from(devices, users)
    .where(_by_key, live)
)
_any = select(devices.c.id, devices.c.user_id, devices.c.revoked_at).where(_by_key)
_insert = insert(devices).values(
    key=bindparam("k"), user_id=bindparam("u"), session_until=now() + bindparam("session")
)
_bind = (
    update(devices)
    .where(devices.c.id == bindparam("i"))
    .values(user_id=bindparam("u"), session_until=now() + bindparam("session"))
)
_unbind = update(devices).where(devices.c.id == bindparam("i")).values(session_until=0.0)
_revoke = update(devices).where(devices.c.id == bindparam("i")).values(revoked_at=now())
_endpoint = delete(endpoints).where(endpoints.c.device_id == bindparam("i"))
_calls = delete(calls).where(
    (calls.c.caller_id == bindparam("i")) | (calls.c.callee_id == bindparam("i"))
)
_of_user = (
    select(devices.c.key, live.label("logged_in"), devices.c.revoked_at)
    .join_from(devices, users)
    .where(users.c.name == bindparam("n"))
    .order_by(devices.c.id)
)
_owner = select(users.c.name).join_from(devices, users).where(_by_key)


def session(connection: Connection, key: bytes) -> Session:
    """Return the live session of the device with this key.

    Raises:
        NotLoggedIn: it has none.
    """
    row = connection.execute(_session, {"k": key}).first()
    if row is None:
        raise NotLoggedIn
    return Session(*row)


def bind(connection: Connection, key: bytes, user_id: int, seconds: float) -> None:
    """Bind the device to the user, from now for ``seconds``.

    Raises:
        Revoked: the device was revoked.
    """
    row = connection.execute(_any, {"k": key}).first()
    if row is None:
        connection.execute(_insert, {"k": key, "u": user_id, "session": seconds})
        return
    if row.revoked_at is not None:
        raise Revoked
    if row.user_id != user_id:
        vacate(connection, row.id)
    connection.execute(_bind, {"i": row.id, "u": user_id, "session": seconds})


def unbind(connection: Connection, device_id: int) -> None:
    """End the device's session, its endpoint and its calls."""
    vacate(connection, device_id)
    connection.execute(_unbind, {"i": device_id})


def revoke(connection: Connection, key: bytes) -> str | None:
    """End all that the device has, for good; return its user's name, None if unknown."""
    row = connection.execute(_any, {"k": key}).first()
    if row is None:
        return None
    unbind(connection, row.id)
    connection.execute(_revoke, {"i": row.id})
    name: str = connection.execute(_owner, {"k": key}).scalar_one()
    return name


def vacate(connection: Connection, device_id: int) -> None:
    """Remove the device's endpoint and every call that it makes or takes."""
    connection.execute(_endpoint, {"i": device_id})
    connection.execute(_calls, {"i": device_id})


def of_user(connection: Connection, name: str) -> list[Device]:
    """Return the devices of a user, oldest first."""
    rows = connection.execute(_of_user, {"n": name})
    return [Device(row.key, bool(row.logged_in), row.revoked_at is not None) for row in rows]
