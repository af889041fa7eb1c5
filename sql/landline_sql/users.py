"""Users: their names, hashes and assigned ports."""

import random
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, insert, select

from landline_sql.clock import now
from landline_sql.errors import NameTaken
from landline_sql.tables import users

_CANDIDATES = 16


@dataclass(frozen=True)
class User:
    """A user; ``port`` is None when the range of ports was used up."""

    id: int
    name: str
    port: int | None


@dataclass(frozen=True)
class Credentials:
    """What a password is checked against."""

    user: User
    hash: bytes = field(repr=False)


_by_name = select(users).where(users.c.name == bindparam("n"))
_used = select(users.c.port).where(users.c.port.between(bindparam("low"), bindparam("high")))
_taken = select(users.c.port).where(users.c.port.in_(bindparam("ports", expanding=True)))
_insert = insert(users).values(
    name=bindparam("n"),
    hash=bindparam("h"),
    port=bindparam("p"),
    request_id=bindparam("r"),
    registered_by=bindparam("k"),
    created_at=now(),
)
_rehash = users.update().where(users.c.id == bindparam("u")).values(hash=bindparam("h"))


def credentials(connection: Connection, name: str) -> Credentials | None:
    """Return what a password for this name is checked against, if there is such a user."""
    row = connection.execute(_by_name, {"n": name}).first()
    if row is None:
        return None
    return Credentials(User(row.id, row.name, row.port), row.hash.encode())


def registered(connection: Connection, name: str, device: bytes, request_id: bytes) -> User | None:
    """Return the user that this very request has registered already.

    None means that the name is free.

    Raises:
        NameTaken: another request has registered it.
    """
    row = connection.execute(_by_name, {"n": name}).first()
    if row is None:
        return None
    if (row.registered_by, row.request_id) != (device, request_id):
        raise NameTaken(name)
    return User(row.id, row.name, row.port)


def add(
    connection: Connection,
    name: str,
    secret: bytes,
    port: int | None,
    device: bytes,
    request_id: bytes,
) -> User:
    """Insert a user; ``secret`` is the bcrypt hash. A taken name or port is an IntegrityError."""
    row = {"n": name, "h": secret.decode(), "p": port, "r": request_id, "k": device}
    key = connection.execute(_insert, row).inserted_primary_key
    assert key is not None  # both databases count the key up
    return User(key[0], name, port)


def free_port(connection: Connection, ports: range) -> int | None:
    """Return a port of the range that no user has, at random; None when all are assigned.

    Another transaction may assign it first; the unique constraint then tells.
    """
    candidates = random.sample(ports, min(_CANDIDATES, len(ports)))
    taken = set(connection.execute(_taken, {"ports": candidates}).scalars())
    free = [port for port in candidates if port not in taken]
    if free:
        return free[0]
    bounds = {"low": ports.start, "high": ports.stop - 1}
    used = set(connection.execute(_used, bounds).scalars())
    gaps = [port for port in ports if port not in used]
    return random.choice(gaps) if gaps else None


def rehash(connection: Connection, user_id: int, secret: bytes) -> None:
    """Replace a user's bcrypt hash by one of another cost."""
    connection.execute(_rehash, {"u": user_id, "h": secret.decode()})
