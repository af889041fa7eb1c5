"""The roll: users by name and what each is doing.

One statement each, the check of the asking device's session included, because
nothing is asked of a broker more often.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from landline_protocol.messages import State
from landline_sql.database import Database
from landline_sql.devices import live
from landline_sql.errors import NotLoggedIn, UnknownUser
from landline_sql.states import user_state
from landline_sql.tables import devices, users


@dataclass(frozen=True)
class Entry:
    """One user and what the user does."""

    name: str
    state: State


_me = select(func.count().label("live")).where(devices.c.key == bindparam("k"), live).subquery("me")
_one = (
    select(users.c.name, user_state)
    .select_from(_me.outerjoin(users, users.c.name == bindparam("n")))
    .where(_me.c.live > 0)
)
_page = (
    select(users.c.name, user_state)
    .select_from(_me.outerjoin(users, users.c.name > bindparam("n")))
    .where(_me.c.live > 0)
    .order_by(users.c.name)
    .limit(bindparam("limit"))
)


def one(database: Database, key: bytes, name: str) -> Entry:
    """Return one user's entry, for the device with this key.

    Raises:
        NotLoggedIn: that device has no live session.
        UnknownUser: there is no such user.
    """
    row = database.first(_one, {"k": key, "n": name})
    if row is None:
        raise NotLoggedIn
    if row[0] is None:
        raise UnknownUser(name)
    return Entry(*row)


def page(connection: Connection, key: bytes, after: str, limit: int) -> list[Entry]:
    """Return up to ``limit`` users whose names follow ``after``, by name.

    Raises:
        NotLoggedIn: the device with this key has no live session.
    """
    rows = connection.execute(_page, {"k": key, "n": after, "limit": limit}).all()
    if not rows:
        raise NotLoggedIn
    return [Entry(name, state) for name, state in rows if name is not None]
