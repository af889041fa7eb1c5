"""Endpoints: published, leased, prolonged and taken back."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from landline_sql.clock import now
from landline_sql.errors import NotWaiting, PortTaken
from landline_sql.states import ENGAGED, WAITING, leased
from landline_sql.tables import calls, endpoints


@dataclass(frozen=True)
class Place:
    """Where a device answers; an empty host means where callers reach the broker."""

    host: str
    port: int


_mine = endpoints.c.device_id == bindparam("i")
_lease = now() + bindparam("lease")
_at_place = (
    (endpoints.c.host == bindparam("h"))
    & (endpoints.c.port == bindparam("p"))
    & (endpoints.c.device_id != bindparam("i"))
)
_others = select(leased).where(_at_place)
_evict = delete(endpoints).where(_at_place, endpoints.c.lease_until <= now())
_own = select(
    endpoints.c.request_id,
    endpoints.c.host,
    endpoints.c.port,
    endpoints.c.observed,
    endpoints.c.call_id,
).where(_mine)
_published = {
    "host": bindparam("h"),
    "port": bindparam("p"),
    "state": WAITING,
    "lease_until": _lease,
    "claim_until": None,
    "call_id": None,
    "request_id": bindparam("r"),
    "observed": bindparam("observed"),
}
_insert = insert(endpoints).values(device_id=bindparam("i"), **_published)
_replace = update(endpoints).where(_mine).values(**_published)
_prolong = update(endpoints).where(_mine).values(lease_until=_lease)
_engage = update(endpoints).where(_mine).values(state=ENGAGED, claim_until=None, lease_until=_lease)
_move = update(endpoints).where(_mine).values(host=bindparam("h"))
_remove = delete(endpoints).where(_mine)
_end_calls = delete(calls).where(calls.c.callee_id == bindparam("i"))
_prolong_call = (
    update(calls)
    .where(
        calls.c.id == bindparam("call"),
        calls.c.vetted_at.is_not(None) | (calls.c.expires_at > now()),
    )
    .values(expires_at=_lease)
)
_expired = delete(endpoints).where(endpoints.c.lease_until < now() - bindparam("age"))
_engaging = select(endpoints.c.call_id).where(endpoints.c.call_id.is_not(None))
_expired_calls = delete(calls).where(
    calls.c.expires_at < now() - bindparam("age"),
    calls.c.vetted_at.is_(None) | calls.c.id.not_in(_engaging),
)


def publish(
    connection: Connection,
    device_id: int,
    place: Place,
    request_id: bytes,
    lease: float,
    *,
    observed: bool,
) -> None:
    """Let the device wait at a place; what it had before, and its call, end.

    The same request again only renews the lease: a claim made in between stays.
    ``observed`` says that the host is where the broker saw the device, not one
    that it named.

    Raises:
        PortTaken: another device waits there and its lease has not expired.
    """
    where = {"h": place.host, "p": place.port, "i": device_id}
    own = connection.execute(_own, where).first()
    if own is not None and own.request_id == request_id:
        connection.execute(_prolong, where | {"lease": lease})
        _follow(connection, device_id, own, place.host)
        return
    _make_room(connection, where)
    statement = _insert if own is None else _replace
    row = where | {"r": request_id, "lease": lease, "observed": observed}
    connection.execute(statement, row)
    connection.execute(_end_calls, where)


def renew(connection: Connection, device_id: int, engaged: bool, seen: str, lease: float) -> Place:
    """Prolong the lease; ``engaged`` also marks the endpoint and prolongs its call.

    A lease that ran out comes back as long as nobody has taken the place. An
    observed host becomes ``seen``, where the broker sees the device now.

    Raises:
        NotWaiting: the device has no endpoint.
        PortTaken: another device waits where this one would be now.
    """
    row = {"i": device_id, "lease": lease}
    if not connection.execute(_engage if engaged else _prolong, row).rowcount:
        raise NotWaiting
    own = connection.execute(_own, row).one()
    if engaged and own.call_id is not None:
        connection.execute(_prolong_call, {"call": own.call_id, "lease": lease})
    return _follow(connection, device_id, own, seen)


def remove(connection: Connection, device_id: int) -> None:
    """Take the device's endpoint back, if it has one, and end its call."""
    connection.execute(_remove, {"i": device_id})
    connection.execute(_end_calls, {"i": device_id})


def expire(connection: Connection, age: float) -> None:
    """Delete endpoints and calls that expired over ``age`` seconds ago.

    A vetted call stays as long as an endpoint is engaged by it.
    """
    connection.execute(_expired, {"age": age})
    connection.execute(_expired_calls, {"age": age})


def _make_room(connection: Connection, where: dict[str, object]) -> None:
    if any(connection.execute(_others, where).scalars()):
        raise PortTaken
    connection.execute(_evict, where)


def _follow(
    connection: Connection, device_id: int, own: "Row[*tuple[Any, ...]]", seen: str
) -> Place:
    if not own.observed or own.host == seen:
        return Place(own.host, own.port)
    where = {"h": seen, "p": own.port, "i": device_id}
    _make_room(connection, where)
    connection.execute(_move, where)
    return Place(seen, own.port)
