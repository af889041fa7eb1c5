"""Room: what is accepted is bounded, and nothing gets in behind the end."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from landline.line import Letter, Room, Say, weight

DEADLINE_S = 10.0


def test_room_makes_wait_until_some_is_given_back() -> None:
    room = Room(100, SimpleQueue())
    assert room.take(101)
    taken = threading.Event()
    taker = threading.Thread(target=lambda: taken.set() if room.take(1) else None)
    taker.start()
    assert not taken.is_set()
    room.give(1)
    taker.join(DEADLINE_S)
    assert taken.is_set()


def test_closing_wakes_whoever_waits_and_lets_nothing_in() -> None:
    mailbox: SimpleQueue[Letter] = SimpleQueue()
    room = Room(0, mailbox)
    assert room.take(1)
    answers: list[bool] = []
    takers = [threading.Thread(target=lambda: answers.append(room.take(1))) for _ in range(3)]
    for taker in takers:
        taker.start()
    assert room.post(Say("before", 1))
    room.close()
    for taker in takers:
        taker.join(DEADLINE_S)
    assert answers == [False] * 3
    assert not room.post(Say("after", 1))
    assert mailbox.get() == Say("before", 1)
    assert mailbox.empty()


def test_nothing_is_for_nothing() -> None:
    assert weight("") > 0
    assert weight("abc") == weight("") + 3
