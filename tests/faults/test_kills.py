"""A long transfer whose two ends are killed again and again arrives whole, once, in order."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.faults.meeting import UNAVAILABLE, Meeting
from tests.support.proxy import Act, AfterOctets, Way
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.meeting import Side

LINES = 20_000
ANSWERS = 2_000
OCTETS = 60
OVERHEAD = 10
"""About what a line costs beside its text."""
SOAK = os.environ.get("LANDLINE_SOAK") == "1"
KILLS = 20 if SOAK else 3
SEEDS = range(5) if SOAK else range(1)


@pytest.mark.timeout(300)
@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_every_line_arrives_once_and_in_order(
    seed: int, meet: Callable[[], Meeting], record_property: Callable[[str, object], None]
) -> None:
    dice = random.Random(seed)
    with meet() as meeting:
        meeting.stand_between()
        meeting.caller.has_to_say(LINES, OCTETS)
        meeting.callee.has_to_say(ANSWERS, OCTETS)
        meeting.callee.start()
        meeting.caller.start()
        share = LINES * (OCTETS + OVERHEAD) // (KILLS + 1)
        kills = sum(
            _killed(meeting, dice.choice(meeting.sides), dice.randrange(5_000, share))
            for _ in range(KILLS)
        )
        meeting.end(killed=True)
        counts = meeting.counts(killed=True)
        record_property("counts", (f"{kills} x SIGKILL", "either", "at random", *counts))
        assert (counts.lost, counts.doubled, counts.disordered) == (0, 0, 0), counts
        assert kills == KILLS


def _killed(meeting: Meeting, victim: Side, octets: int) -> bool:
    """Kill one when so many more octets have come from the caller, and start it anew."""
    assert meeting.proxy is not None

    def calling() -> bool:
        return meeting.caller.child.running

    trap = AfterOctets(Act.HOLD, Way.THERE, octets)
    meeting.proxy.set(trap)
    while True:
        wait_until(lambda: trap.sprung.is_set() or not calling(), "the moment", 30.0)
        if trap.sprung.is_set():
            break
        if meeting.caller.child.wait() != UNAVAILABLE:
            return False  # it is all over
        meeting.caller.start()
    victim.kill()
    meeting.proxy.cut()
    meeting.proxy.resume()
    victim.start()
    return True


def test_a_caller_who_cannot_resume_calls_anew_at_once(meet: Callable[[], Meeting]) -> None:
    """Its journal keeps nothing to resume from; the callee still seeks the connection."""
    with meet() as meeting:
        caller, callee = meeting.caller, meeting.callee
        caller.arguments = ("call", "--no-history", callee.name)
        callee.start(fed=True)
        caller.start(fed=True)
        caller.say(["before"])
        wait_until(lambda: callee.shown() == ["before"], "it is heard")
        caller.child.expect_line('"event": "delivered", "upto": 1')
        caller.kill()
        callee.child.expect_line('"event": "reconnecting"')
        caller.start(fed=True)
        caller.say(["after"])
        wait_until(lambda: callee.shown() == ["before", "after"], "it is heard, too")
        for side in (callee, caller):
            side.child.close_stdin()
        meeting.end(killed=False)
