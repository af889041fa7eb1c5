"""What an endpoint and a user can be doing, as SQL conditions.

The one place that says when an endpoint is free to be claimed. Nothing here
runs a statement.
"""

from typing import Final

from sqlalchemy import ColumnElement, and_, case, exists, or_

from landline_protocol.messages import State
from landline_sql.clock import now
from landline_sql.tables import calls, devices, endpoints, users

WAITING: Final = "waiting"
CLAIMED: Final = "claimed"
ENGAGED: Final = "engaged"
OFFLINE: Final = "offline"

_lapsed_claim = and_(endpoints.c.state == CLAIMED, endpoints.c.claim_until <= now())

leased: Final[ColumnElement[bool]] = endpoints.c.lease_until > now()

free: Final[ColumnElement[bool]] = and_(leased, or_(endpoints.c.state == WAITING, _lapsed_claim))
"""The endpoint may be claimed: it waits, or its claim ran out unvetted."""

_of_user = and_(endpoints.c.device_id == devices.c.id, devices.c.user_id == users.c.id)
_calling = and_(
    calls.c.caller_id == devices.c.id,
    devices.c.user_id == users.c.id,
    calls.c.vetted_at.is_not(None),
    calls.c.expires_at > now(),
)

user_state: Final[ColumnElement[State]] = case(
    (exists().where(_of_user, free).correlate(users), WAITING),
    (exists().where(_of_user, leased).correlate(users), ENGAGED),
    (exists().where(_calling).correlate(users), ENGAGED),
    else_=OFFLINE,
)
"""What the user of the enclosing query does: waiting before engaged before offline."""
