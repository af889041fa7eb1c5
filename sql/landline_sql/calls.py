"""Calls: who has claimed whose endpoint, and who was vetted.

A claim is one conditional UPDATE of one endpoint. It touches the row or it
does not: of any number of callers at once, one gets it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from landline_protocol.limits import CALL_ID_OCTETS
from landline_sql import throttle
from landline_sql.clock import now
from landline_sql.devices import Session
from landline_sql.endpoints import Place
from landline_sql.errors import (
    Engaged,
    NoCall,
    Offline,
    SelfCall,
    TooManyClaims,
    UnknownUser,
    Unvetted,
)
from landline_sql.states import CLAIMED, ENGAGED, OFFLINE, free, user_state
from landline_sql.tables import calls, devices, endpoints, users
from landline_sql.throttle import Penalty


@dataclass(frozen=True)
class Claim:
    """A callee's endpoint, the caller's for ``expires`` seconds unless prolonged."""

    call: bytes
    name: str
    place: Place
    key: bytes
    expires: float


@dataclass(frozen=True)
class Caller:
    """Whose key knocks, and with which call."""

    call: bytes
    name: str


_user = select(users.c.id, users.c.name).where(users.c.name == bindparam("n"))
_state = select(user_state).where(users.c.id == bindparam("u"))
_free = (
    select(endpoints.c.id, endpoints.c.device_id)
    .join_from(endpoints, devices)
    .where(devices.c.user_id == bindparam("u"), free)
    .order_by(endpoints.c.lease_until.desc())
)
_claim = (
    update(endpoints)
    .where(endpoints.c.id == bindparam("e"), free)
    .values(state=CLAIMED, call_id=bindparam("call"), claim_until=now() + bindparam("claim"))
)
_insert = insert(calls).values(
    id=bindparam("call"),
    request_id=bindparam("r"),
    caller_id=bindparam("caller"),
    callee_id=bindparam("callee"),
    # Not now() again: the claim and its call end at the same moment.
    expires_at=select(endpoints.c.claim_until)
    .where(endpoints.c.id == bindparam("e"))
    .scalar_subquery(),
)
_made = (
    select(
        calls.c.id,
        endpoints.c.host,
        endpoints.c.port,
        devices.c.key,
        (calls.c.expires_at - now()).label("expires"),
    )
    .join_from(calls, endpoints, endpoints.c.call_id == calls.c.id)
    .join(devices, devices.c.id == endpoints.c.device_id)
    .where(
        calls.c.caller_id == bindparam("caller"),
        calls.c.request_id == bindparam("r"),
        devices.c.user_id == bindparam("u"),
        calls.c.expires_at > now(),
    )
)
_held = (
    select(
        calls.c.id,
        endpoints.c.host,
        endpoints.c.port,
        devices.c.key,
        (endpoints.c.lease_until - now()).label("expires"),
    )
    .join_from(calls, devices, devices.c.id == calls.c.callee_id)
    .join(
        endpoints,
        (endpoints.c.device_id == devices.c.id) & (endpoints.c.call_id == calls.c.id),
    )
    .where(
        calls.c.caller_id == bindparam("caller"),
        devices.c.user_id == bindparam("u"),
        calls.c.vetted_at.is_not(None),
    )
    .order_by(calls.c.vetted_at.desc())
)
_knocking = (
    select(calls.c.id, users.c.name, endpoints.c.lease_until)
    .join_from(endpoints, calls, calls.c.id == endpoints.c.call_id)
    .join(devices, devices.c.id == calls.c.caller_id)
    .join(users, users.c.id == devices.c.user_id)
    .where(
        endpoints.c.device_id == bindparam("i"),
        devices.c.key == bindparam("k"),
        calls.c.expires_at > now(),
    )
)
_engage = (
    update(endpoints)
    .where(endpoints.c.device_id == bindparam("i"), endpoints.c.call_id == bindparam("call"))
    .values(state=ENGAGED, claim_until=None)
)
_vet = (
    update(calls)
    .where(calls.c.id == bindparam("call"), calls.c.vetted_at.is_(None))
    .values(vetted_at=now(), expires_at=bindparam("until"))
)


def claim(
    connection: Connection,
    caller: Session,
    name: str,
    request_id: bytes,
    seconds: float,
    penalty: Penalty,
) -> Claim:
    """Claim a waiting endpoint of the user ``name`` for ``seconds``.

    The same request again gets the same claim while it lives. Each claim counts
    for the penalty until a call of the same two users is vetted.

    Raises:
        SelfCall, UnknownUser, Offline, Engaged: there is nothing to claim.
        TooManyClaims: too many claims were not vetted.
    """
    asked = _asked(connection, caller, name) | {"r": request_id}
    made = connection.execute(_made, asked).first()
    if made is None:
        blocked = throttle.blocked(connection, throttle.CLAIM, name, caller.name)
        if blocked > 0:
            raise TooManyClaims(blocked)
        if _claim_one(connection, asked, seconds):
            throttle.penalise(connection, throttle.CLAIM, name, caller.name, penalty)
        made = connection.execute(_made, asked).first()
    if made is not None:
        return _claimed(made, name)
    state = connection.execute(_state, asked).scalar_one()
    # One that waits again by now was claimed when we tried.
    raise Offline(name) if state == OFFLINE else Engaged(name)


def resume(connection: Connection, caller: Session, name: str) -> Claim:
    """Return where the user ``name`` is whom the caller's device is in a call with.

    Nothing changes. ``expires`` is what is left of the callee's lease.

    Raises:
        SelfCall, UnknownUser: there is no such call.
        Offline: the callee's lease has run out; it may come back.
        NoCall: no endpoint of the user is engaged by a vetted call of this device.
    """
    asked = _asked(connection, caller, name)
    held = connection.execute(_held, asked).first()
    if held is not None and held.expires > 0:
        return _claimed(held, name)
    state = connection.execute(_state, asked).scalar_one()
    raise NoCall if held is None and state != OFFLINE else Offline(name)


def vet(connection: Connection, callee: Session, key: bytes) -> Caller:
    """Return who the key that knocks at this device belongs to, and keep the call.

    From then on the endpoint's lease keeps it.

    Raises:
        Unvetted: no device with that key has a live claim on this endpoint.
    """
    row = connection.execute(_knocking, {"i": callee.device_id, "k": key}).first()
    if row is None:
        raise Unvetted
    call = {"i": callee.device_id, "call": row.id, "until": row.lease_until}
    if not connection.execute(_engage, call).rowcount:
        raise Unvetted  # it ran out a moment ago and another caller has it
    if connection.execute(_vet, call).rowcount:
        throttle.forget(connection, throttle.CLAIM, callee.name, row.name)
    return Caller(row.id, row.name)


def _asked(connection: Connection, caller: Session, name: str) -> dict[str, object]:
    if name == caller.name:
        raise SelfCall
    user = connection.execute(_user, {"n": name}).first()
    if user is None:
        raise UnknownUser(name)
    return {"caller": caller.device_id, "u": user.id}


def _claim_one(connection: Connection, asked: dict[str, object], seconds: float) -> bool:
    candidates = connection.execute(_free, asked).all()
    row = asked | {"call": secrets.token_bytes(CALL_ID_OCTETS), "claim": seconds}
    for endpoint, callee in candidates:
        row |= {"e": endpoint, "callee": callee}
        if connection.execute(_claim, row).rowcount:
            connection.execute(_insert, row)
            return True
    return False


def _claimed(made: Sequence[Any], name: str) -> Claim:
    call, host, port, key, expires = made
    return Claim(call, name, Place(host, port), key, float(expires))
