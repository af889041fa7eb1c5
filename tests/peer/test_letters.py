"""Room: what is said and not yet on the wire is bounded, and nothing gets in behind the end."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from landline.errors import ConversationBroken
from landline.letters import SAID, TEXT_ROOM, Letter, Room, SayBye
from landline_protocol.frames import Text

DEADLINE_S = 10.0
LONG = Text(1, "x" * 100)
SHORT = Text(2, "y")


def filled(mailbox: SimpleQueue[Letter] | None = None) -> Room:
    """Return a room in which there is more than it may hold."""
    room = Room(100, mailbox or SimpleQueue())
    assert room.put(LONG) == 1
    return room


def test_what_is_put_is_numbered_and_taken_in_its_order() -> None:
    room = Room(1_000, SimpleQueue())
    assert [room.put(text) for text in (LONG, SHORT, LONG)] == [1, 2, 3]
    assert room.take() == [LONG, SHORT, LONG]
    assert room.take() == []
    assert room.put(SHORT) == 4
    assert room.take() == [SHORT]


def test_the_sender_is_told_once_about_all_that_it_has_not_taken() -> None:
    mailbox: SimpleQueue[Letter] = SimpleQueue()
    room = Room(1_000, mailbox)
    room.put(SHORT)
    room.put(SHORT)
    assert mailbox.get() is SAID
    assert mailbox.empty()
    room.take()
    room.put(SHORT)
    assert mailbox.get() is SAID


def test_room_makes_wait_until_what_was_taken_is_on_the_wire() -> None:
    room = filled()
    room.take()
    put = threading.Event()
    putter = threading.Thread(target=lambda: put.set() if room.put(SHORT) else None)
    putter.start()
    room.hold(101)
    assert not put.is_set()
    room.hold(100)
    putter.join(DEADLINE_S)
    assert put.is_set()


def test_bye_wakes_whoever_waits_for_room() -> None:
    room = filled()
    refused: list[ConversationBroken] = []

    def put() -> None:
        try:
            room.put(SHORT)
        except ConversationBroken as error:
            refused.append(error)

    putter = threading.Thread(target=put)
    putter.start()
    room.put_bye(3)
    putter.join(DEADLINE_S)
    assert "you have said bye" in str(refused[0])


def test_closing_wakes_whoever_waits_and_lets_nothing_in() -> None:
    room = filled()
    errors: list[str] = []

    def put() -> None:
        with pytest.raises(ConversationBroken) as caught:
            room.put(SHORT)
        errors.append(str(caught.value))

    putters = [threading.Thread(target=put) for _ in range(3)]
    for putter in putters:
        putter.start()
    assert room.close() == 1
    for putter in putters:
        putter.join(DEADLINE_S)
    assert errors == ["the conversation has ended; nothing was sent"] * 3
    assert room.take() == [LONG]
    assert room.close() == 1


def test_after_the_bye_nothing_is_put_and_the_first_bye_counts() -> None:
    mailbox: SimpleQueue[Letter] = SimpleQueue()
    room = Room(100, mailbox)
    room.put_bye(1)
    room.put_bye(2)
    assert mailbox.get() == SayBye(1)
    assert mailbox.empty()
    with pytest.raises(ConversationBroken, match="you have said bye"):
        room.put(SHORT)
    assert room.close() == 0


def test_a_text_without_characters_takes_room_too() -> None:
    room = Room(TEXT_ROOM, SimpleQueue())
    room.put(Text(1, ""))
    room.put(Text(1, ""))
    put = threading.Event()
    putter = threading.Thread(target=lambda: put.set() if room.put(SHORT) else None)
    putter.start()
    room.take()
    assert not put.is_set()
    room.hold(0)
    putter.join(DEADLINE_S)
    assert put.is_set()
