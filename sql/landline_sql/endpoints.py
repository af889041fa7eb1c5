"""Endpoints: published, leased, prolonged and taken back."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

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
_own = select(endpoints.c.id, endpoints.c.request_id).where(_mine)
_published = {
    "host": bindparam("h"),
    "port": bindparam("p"),
    "state": WAITING,
    "lease_until": _lease,
    "claim_until": None,
    "call_id": None,
    "request_id": bindparam("r"),
}
_insert = insert(endpoints).values(device_id=bindparam("i"), **_published)
_replace = update(endpoints).where(_mine).values(**_published)
_prolong = update(endpoints).where(_mine).values(lease_until=_lease)
_engage = update(endpoints).where(_mine).values(state=ENGAGED, claim_until=None, lease_until=_lease)
_place = select(endpoints.c.host, endpoints.c.port, endpoints.c.call_id).where(_mine)
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
_expired_calls = delete(calls).where(calls.c.expires_at < now() - bindparam("age"))


def publish(
    connection: Connection, device_id: int, place: Place, request_id: bytes, lease: float
) -> None:
    """Let the device wait at a place; what it had before, and its call, end.

    The same request again only renews the lease: a claim made in between stays.

    Raises:
        PortTaken: another device waits there and its lease has not expired.
    """
    where = {"h": place.host, "p": place.port, "i": device_id}
    own = connection.execute(_own, where).first()
    if own is not None and own.request_id == request_id:
        connection.execute(_prolong, where | {"lease": lease})
        return
    if any(connection.execute(_others, where).scalars()):
        raise PortTaken
    connection.execute(_evict, where)
    statement = _insert if own is None else _replace
    connection.execute(statement, where | {"r": request_id, "lease": lease})
    connection.execute(_end_calls, where)


def renew(connection: Connection, device_id: int, engaged: bool, lease: float) -> Place:
    """Prolong the lease; ``engaged`` also marks the endpoint and prolongs its call.

    A lease that ran out comes back as long as nobody has taken the place.

    Raises:
        NotWaiting: the device has no endpoint.
    """
    row = {"i": device_id, "lease": lease}
    if not connection.execute(_engage if engaged else _prolong, row).rowcount:
        raise NotWaiting
    host, port, call = connection.execute(_place, row).one()
    if engaged and call is not None:
        connection.execute(_prolong_call, {"call": call, "lease": lease})
    return Place(host, port)


def remove(connection: Connection, device_id: int) -> None:
    """Take the device's endpoint back, if it has one, and end its call."""
    connection.execute(_remove, {"i": device_id})
    connection.execute(_end_calls, {"i": device_id})


def expire(connection: Connection, age: float) -> None:
    """Delete endpoints and calls that expired over ``age`` seconds ago."""
    connection.execute(_expired, {"age": age})
    connection.execute(_expired_calls, {"age": age})
