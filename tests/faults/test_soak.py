"""A million messages and a cut every other second: neither side grows. Needs LANDLINE_SOAK=1."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest

from tests.support.waiting import poll_until, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.meeting import Meeting
    from tests.support.children import Child

LINES = 1_000_000
WARM = 100_000
OCTETS = 60
EVERY_S = 2.0
GROWTH = 5 * 1_048_576
# SQLite does not close a file that another connection of the program has locked, but
# keeps its descriptor for the next one: the courier's connection, and the line's.
KEPT_DESCRIPTORS = 2
TALKS = 6


class Size(NamedTuple):
    """What a process holds."""

    memory: int
    threads: int
    descriptors: int

    @classmethod
    def of(cls, child: Child) -> Size:
        folder = Path("/proc", str(child.pid))
        memory = psutil.Process(child.pid).memory_info().rss
        return cls(memory, *(len(list((folder / each).iterdir())) for each in ("task", "fd")))


def given_back(child: Child, idle: Size) -> bool:
    """Whether a process holds no more than when it waited idly."""
    size = Size.of(child)
    return size.threads <= idle.threads and size.descriptors <= idle.descriptors + KEPT_DESCRIPTORS


def test_conversations_that_are_over_leave_nothing_behind(meet: Callable[[], Meeting]) -> None:
    with meet() as meeting:
        caller, callee = meeting.caller, meeting.callee

        def talk() -> None:
            caller.start()
            assert caller.child.wait() == 0, meeting.transcript()
            callee.child.expect_line('"event": "waiting"')

        callee.start()
        # What is opened once for all, SQLite's files for one, is open after the first.
        talk()
        idle = Size.of(callee.child)
        for _ in range(TALKS):
            talk()
        wait_until(lambda: given_back(callee.child, idle), f"{idle} as before")
        meeting.end(killed=False)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.environ.get("LANDLINE_SOAK") != "1", reason="LANDLINE_SOAK=1 is not set")
def test_a_million_messages_leave_nothing_behind(
    meet: Callable[[], Meeting], record_property: Callable[[str, object], None]
) -> None:
    with meet() as meeting:
        proxy = meeting.stand_between()
        meeting.caller.has_to_say(LINES, OCTETS)
        meeting.callee.start()
        caller, callee = meeting.caller, meeting.callee
        idle = Size.of(callee.child)
        caller.start()
        wait_until(lambda: len(callee.child.stdout_lines) > WARM, "it is under way", 60.0)
        sizes: dict[str, list[Size]] = {"caller": [], "callee": []}
        cuts = 0
        while not poll_until(lambda: not caller.child.running, EVERY_S):
            sizes["caller"].append(Size.of(caller.child))
            sizes["callee"].append(Size.of(callee.child))
            (proxy.finish if cuts % 2 else proxy.cut)()
            cuts += 1
        assert caller.child.wait() == 0, meeting.transcript()
        callee.child.expect_line('"event": "ended"', 60.0)
        after = Size.of(callee.child)
        meeting.end(killed=False)
        counts = meeting.counts(killed=False)
        record_property("counts", (f"{cuts} cuts", "both", "every 2 s", *counts))
        for who, seen in sizes.items():
            memory = [size.memory / 1_048_576 for size in seen]
            print(f"{who}: MiB at each cut: {' '.join(f'{each:.1f}' for each in memory)}")
            print(f"{who}: threads and descriptors {sorted({size[1:] for size in seen})}")
        print(f"callee: {idle} before, {after} after; {cuts} cuts")
        assert (counts.lost, counts.doubled, counts.disordered) == (0, 0, 0), counts
        for seen in sizes.values():
            # How much is under way at a moment comes and goes; what stays does not grow.
            memory = [size.memory for size in seen]
            assert median(memory[-5:]) <= max(memory[:5]) + GROWTH
            for kind in ("threads", "descriptors"):
                counted = [getattr(size, kind) for size in seen]
                assert min(counted[-3:]) <= max(counted[:3]), counted
