"""Whatever happens to a link, whenever: nothing is lost, doubled or out of order.

Each row is a meeting of two processes with `LINES` lines for each other, and one fault.
The counts of all rows are printed when the tests are over. LANDLINE_SOAK=1 crosses every
fault with every side and every moment.
"""

from __future__ import annotations

import os
import signal
from enum import Enum
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.faults.meeting import Meeting
from tests.faults.moments import At, Moment
from tests.support.proxy import Act, Way
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.meeting import Side
    from tests.support.proxy import Proxy

LINES = 1_200
"""More than a window holds: the first acknowledgement is not the last."""
LINES_FED = 40
"""How many lines each side says when there is no proxy to tell the moment."""
RATE = 400_000
"""How many octets per second a throttled way passes on."""
SPRUNG_S = 15.0


class Fault(Enum):
    """What happens."""

    FIN = "cut with FIN"
    RST = "cut with RST"
    FLIP = "one octet corrupted"
    STALL = "stalled longer than the heartbeat"
    THROTTLE = "throttled"
    STOP = "SIGSTOP and SIGCONT"
    KILL = "SIGKILL and started anew"
    UNPLUG = "cable pulled and put back"
    MOVE = "another address"


class Who(Enum):
    """Whose frame it is, or whose process or cable."""

    CALLER = "caller"
    CALLEE = "callee"


class Row(NamedTuple):
    fault: Fault
    who: Who
    moment: Moment

    def __str__(self) -> str:
        return f"{self.fault.value}, {self.who.value}, {self.moment.value}"


F, W, M = Fault, Who, Moment
# What is before hello, between hello and welcome, and about the byes is the same whoever
# speaks: there the side counts only for who is killed.
ROWS = [
    Row(F.FIN, W.CALLER, M.BEFORE_HELLO),
    Row(F.RST, W.CALLEE, M.BEFORE_WELCOME),
    Row(F.FIN, W.CALLER, M.IN_A_BATCH),
    Row(F.RST, W.CALLEE, M.IN_A_BATCH),
    Row(F.FIN, W.CALLER, M.BEFORE_AN_ACK),
    Row(F.FIN, W.CALLEE, M.BEFORE_AN_ACK),
    Row(F.FIN, W.CALLER, M.BEFORE_THE_BYES),
    Row(F.FIN, W.CALLER, M.BETWEEN_THE_BYES),
    Row(F.FIN, W.CALLER, M.AFTER_THE_BYES),
    Row(F.FIN, W.CALLER, M.BEFORE_AN_END),
    Row(F.RST, W.CALLEE, M.BEFORE_AN_END),
    Row(F.FLIP, W.CALLER, M.BEFORE_HELLO),
    Row(F.FLIP, W.CALLEE, M.BEFORE_WELCOME),
    Row(F.FLIP, W.CALLER, M.IN_A_BATCH),
    Row(F.FLIP, W.CALLER, M.BEFORE_THE_BYES),
    Row(F.STALL, W.CALLER, M.IN_A_BATCH),
    Row(F.THROTTLE, W.CALLEE, M.IN_A_BATCH),
    Row(F.STOP, W.CALLEE, M.IN_A_BATCH),
    Row(F.KILL, W.CALLER, M.BEFORE_HELLO),
    Row(F.KILL, W.CALLER, M.BEFORE_WELCOME),
    Row(F.KILL, W.CALLER, M.IN_A_BATCH),
    Row(F.KILL, W.CALLEE, M.IN_A_BATCH),
    Row(F.KILL, W.CALLEE, M.BEFORE_AN_ACK),
    Row(F.KILL, W.CALLEE, M.BETWEEN_THE_BYES),
    Row(F.KILL, W.CALLER, M.AFTER_THE_BYES),
    Row(F.UNPLUG, W.CALLEE, M.IN_A_BATCH),
    Row(F.MOVE, W.CALLEE, M.IN_A_BATCH),
]
_OPEN = (M.IN_A_BATCH, M.BEFORE_AN_ACK)
_WHEN = {
    F.STALL: _OPEN,
    F.STOP: _OPEN,
    F.THROTTLE: (M.IN_A_BATCH,),
    F.UNPLUG: (M.IN_A_BATCH,),
    F.MOVE: (M.IN_A_BATCH,),
}
SLOW = {F.STALL, F.STOP, F.UNPLUG, F.MOVE}
if os.environ.get("LANDLINE_SOAK") == "1":
    ROWS = [
        Row(fault, who, moment)
        for fault, who in product(Fault, Who)
        for moment in _WHEN.get(fault, tuple(Moment))
        if (fault, who) != (F.MOVE, W.CALLER)
    ]


def rows() -> list[object]:
    return [
        pytest.param(row, id=str(row), marks=pytest.mark.slow if row.fault in SLOW else ())
        for row in ROWS
    ]


@pytest.mark.parametrize("row", rows())
def test_nothing_is_lost(
    row: Row, meet: Callable[[], Meeting], record_property: Callable[[str, object], None]
) -> None:
    with meet() as meeting:
        side = meeting.caller if row.who is W.CALLER else meeting.callee
        killed = row.fault is F.KILL
        if row.fault in {F.UNPLUG, F.MOVE}:
            _without_proxy(meeting, side, row.fault)
        else:
            _through_proxy(meeting, side, row)
        meeting.end(killed=killed)
        counts = meeting.counts(killed=killed)
        record_property("counts", (row.fault.value, row.who.value, row.moment.value, *counts))
        assert (counts.lost, counts.doubled, counts.disordered) == (0, 0, 0), counts
        assert meeting.agree(killed=killed)


def _through_proxy(meeting: Meeting, side: Side, row: Row) -> None:
    proxy = meeting.stand_between()
    for each in meeting.sides:
        each.has_to_say(LINES)
    acts = {F.FIN: Act.FIN, F.RST: Act.RST, F.FLIP: Act.FLIP}
    trap = At(acts.get(row.fault, Act.HOLD), row.moment, side.way)
    if row.fault is F.THROTTLE:
        proxy.throttle(RATE, side.way)
    else:
        proxy.set(trap)
    meeting.callee.start()
    meeting.caller.start()
    if row.fault is F.THROTTLE:
        return
    assert trap.sprung.wait(SPRUNG_S), f"the moment does not come\n{meeting.transcript()}"
    if trap.act is Act.HOLD:
        _HELD[row.fault](meeting, side, proxy)


def _stall(meeting: Meeting, side: Side, proxy: Proxy) -> None:
    """Stall one way: the other side hears nothing, and both find another link."""
    (other,) = set(Way) - {side.way}
    proxy.resume(other)
    for each in meeting.sides:
        each.child.expect_line('"event": "reconnecting"')
    proxy.resume()


def _stop(meeting: Meeting, side: Side, proxy: Proxy) -> None:
    side.child.signal(signal.SIGSTOP)
    proxy.resume()
    meeting.other(side).child.expect_line('"event": "reconnecting"')
    side.child.signal(signal.SIGCONT)


def _kill(meeting: Meeting, side: Side, proxy: Proxy) -> None:
    side.kill()
    proxy.cut()
    proxy.resume()
    side.start()


_HELD = {F.STALL: _stall, F.STOP: _stop, F.KILL: _kill}


def _without_proxy(meeting: Meeting, side: Side, fault: Fault) -> None:
    """Let the fault happen when half of all lines have been heard."""
    for each in meeting.sides:
        each.has_to_say(LINES_FED)
        each.start(fed=True) if not each.calls else None
    meeting.caller.start(fed=True)
    half = LINES_FED // 2
    for each in meeting.sides:
        each.say(each.lines[:half])
    for each in meeting.sides:
        wait_until(lambda each=each: len(each.shown()) == half, "half is heard")  # type: ignore[misc]
    if fault is F.MOVE:
        meeting.undone_at_the_end(side.node.moved())
    else:
        side.node.unplug()
    for each in meeting.sides:
        each.say(each.lines[half:])
        each.child.close_stdin()
    for each in meeting.sides:
        each.child.expect_line('"event": "reconnecting"')
    side.node.plug_in()
