"""Counting what fails too often, per account and address.

The counts are in the database, so that they hold across brokers. How many
failures are too many is a ``Penalty``, which the caller brings.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from landline_sql.clock import now
from landline_sql.tables import throttle

LOGIN: Final = "login"
REGISTER: Final = "register"
# The account is the callee, the address the caller: both are user names.
CLAIM: Final = "claim"
WHOLE_ADDRESS: Final = ""


@dataclass(frozen=True)
class Penalty:
    """From ``limit`` failures on, each blocks for twice as long, up to ``longest``.

    ``window``, ``first`` and ``longest`` are seconds. Failures are forgotten
    ``window`` after the latest one, or, unless ``sliding``, after the earliest.
    """

    limit: int
    window: float
    first: float
    longest: float
    sliding: bool = True

    def seconds(self, failures: int) -> float:
        """Return how long this many failures block."""
        if failures < self.limit:
            return 0.0
        return min(self.first * 2.0 ** min(failures - self.limit, 32), self.longest)


_kind = throttle.c.kind == bindparam("k")
_row = and_(_kind, throttle.c.account == bindparam("a"), throttle.c.address == bindparam("d"))
_of_login = and_(
    _kind,
    throttle.c.address == bindparam("d"),
    or_(throttle.c.account == bindparam("a"), throttle.c.account == WHOLE_ADDRESS),
)
_old = throttle.c.at <= now() - bindparam("window")

_blocked = select(func.max(throttle.c.blocked_until) - now()).where(_of_login)
# Two statements: MySQL's SET sees the new values of columns it has set before,
# SQLite's does not.
_count = (
    update(throttle).where(_row).values(failures=case((_old, 1), else_=throttle.c.failures + 1))
)
_move = update(throttle).where(_row).values(at=now())
_restart = update(throttle).where(_row, _old).values(at=now())
_failures = select(throttle.c.failures).where(_row)
_block = update(throttle).where(_row).values(blocked_until=now() + bindparam("delay"))
_insert = insert(throttle).values(
    kind=bindparam("k"),
    account=bindparam("a"),
    address=bindparam("d"),
    failures=1,
    at=now(),
    blocked_until=0.0,
)
_forget = delete(throttle).where(_row)
_expired = delete(throttle).where(
    throttle.c.at < now() - bindparam("age"), throttle.c.blocked_until < now()
)


def blocked(connection: Connection, kind: str, account: str, address: str) -> float:
    """Return for how many seconds more the account at this address is blocked."""
    seconds = connection.execute(_blocked, {"k": kind, "a": account, "d": address}).scalar()
    return max(float(seconds or 0.0), 0.0)


def penalise(
    connection: Connection, kind: str, account: str, address: str, penalty: Penalty
) -> None:
    """Count one failure and block from the penalty's limit on."""
    row = {"k": kind, "a": account, "d": address}
    known = connection.execute(_count, row | {"window": penalty.window}).rowcount
    if not known:
        connection.execute(_insert, row)
    elif penalty.sliding:
        connection.execute(_move, row)
    else:
        connection.execute(_restart, row | {"window": penalty.window})
    failures: int = connection.execute(_failures, row).scalar_one()
    delay = penalty.seconds(failures)
    if delay:
        connection.execute(_block, row | {"delay": delay})


def forget(connection: Connection, kind: str, account: str, address: str) -> None:
    """Forget the failures of one account at one address."""
    connection.execute(_forget, {"k": kind, "a": account, "d": address})


def expire(connection: Connection, age: float) -> None:
    """Delete what nobody added to for ``age`` seconds."""
    connection.execute(_expired, {"age": age})
