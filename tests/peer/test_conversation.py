"""Conversations: numbers, delivery, byes, backpressure, and every way to end one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psutil
import pytest

from landline.deadline import Deadline
from landline.errors import ConversationBroken, InvalidInput, LandlineError
from landline.events import Delivered, Ended, Message, SaidBye
from landline.line import ROOM
from landline_protocol.limits import TEXT_MAX
from tests.peer.stage import DEADLINE_S, broken, events, next_of

if TYPE_CHECKING:
    from landline.conversation import Conversation
    from tests.peer.stage import Stage


def test_messages_are_numbered_delivered_and_kept_by_both(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()
    assert [alice.send("one"), alice.send("two")] == [1, 2]
    assert bob.send("yes") == 1
    first, second = next_of(bob, Message), next_of(bob, Message)
    assert [(m.sender, m.text, m.number) for m in (first, second)] == [
        ("alice", "one", 1),
        ("alice", "two", 2),
    ]
    assert next_of(alice, Message).text == "yes"
    while next_of(alice, Delivered).upto < 2:
        pass
    alice.bye()
    bob.bye()
    assert events(alice)[-1] == Ended(said=2, heard=1)
    assert events(bob)[-1] == Ended(said=1, heard=2)


def test_an_empty_conversation_ends_well_and_nothing_is_delivered(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()
    alice.bye()
    bob.bye()
    for talk, other in ((alice, "bob"), (bob, "alice")):
        said_bye, ended = events(talk)
        assert isinstance(said_bye, SaidBye)
        assert said_bye.sender == other
        assert ended == Ended(said=0, heard=0)


def test_after_my_bye_i_still_read_what_the_other_says(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()
    alice.bye()
    assert next_of(bob, SaidBye).sender == "alice"
    for n in range(5):
        bob.send(f"after {n}")
    assert [next_of(alice, Message).text for _ in range(5)] == [f"after {n}" for n in range(5)]
    bob.bye()
    assert events(alice)[-1] == Ended(said=0, heard=5)
    assert events(bob)[-1] == Ended(said=5, heard=0)


def test_messages_ends_at_the_others_bye_and_one_may_still_answer(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()
    alice.send("question")
    alice.bye()
    assert [m.text for m in bob.messages()] == ["question"]
    bob.send("answer")
    bob.close()
    assert [m.text for m in alice.messages()] == ["answer"]
    assert events(alice)[-1] == Ended(said=1, heard=1)


@pytest.mark.parametrize("round_", range(5))
def test_byes_that_cross_end_both_sides_well(stage: Stage, round_: int) -> None:
    alice, bob, *_ = stage.talk()
    together = threading.Barrier(2)

    def part(talk: Conversation) -> list[object]:
        together.wait(DEADLINE_S)
        talk.send("last")
        talk.bye()
        return list(events(talk))

    parts = [stage.spawn(part, alice), stage.spawn(part, bob)]
    for each in parts:
        assert each.result(DEADLINE_S)[-1] == Ended(said=1, heard=1)


def test_after_bye_nothing_can_be_said(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()
    alice.bye()
    alice.bye()
    with pytest.raises(ConversationBroken, match="you have said bye"):
        alice.send("one more")
    bob.bye()
    events(alice), events(bob)
    for talk in (alice, bob):
        with pytest.raises(ConversationBroken, match="nothing was sent"):
            talk.send("too late")


@pytest.mark.parametrize(
    "text", ["a" * 65_537, "ä" * 32_769, "\ud800", "half \udc80 a pair"], ids=len
)
def test_what_cannot_be_said_is_refused_at_once_and_nothing_is_lost(
    stage: Stage, text: str
) -> None:
    alice, bob, *_ = stage.talk()
    with pytest.raises(InvalidInput, match="nothing was sent"):
        alice.send(text)
    assert alice.send("fine") == 1
    assert next_of(bob, Message).text == "fine"


@pytest.mark.parametrize(
    "text", ["", "\0", "a" * 65_536, "ä" * 32_768, "\U0001f600" * 16_384, "line\nline\r\n\x1b[2J"]
)
def test_every_other_text_arrives_unchanged(stage: Stage, text: str) -> None:
    alice, bob, *_ = stage.talk()
    alice.send(text)
    alice.bye()
    assert [m.text for m in bob.messages()] == [text]
    bob.bye()
    assert events(alice)[-1] == Ended(said=1, heard=0)
    assert events(bob)[-1] == Ended(said=0, heard=1)


def test_what_is_said_after_bye_takes_no_room(stage: Stage) -> None:
    """However often: it raises, and never waits."""
    alice, _, *_ = stage.talk()
    alice.bye()
    text = "x" * TEXT_MAX
    for _ in range(ROOM // TEXT_MAX + 2):
        with pytest.raises(ConversationBroken, match="you have said bye"):
            alice.send(text)


def test_many_threads_send_and_each_text_has_one_number(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()
    sent: dict[int, str] = {}

    def say(who: int) -> None:
        for n in range(100):
            text = f"{who}-{n}"
            sent[alice.send(text)] = text

    for work in [stage.spawn(say, who) for who in range(8)]:
        work.result(DEADLINE_S)
    alice.bye()
    heard = list(bob.messages())
    assert {m.number: m.text for m in heard} == sent
    assert [m.number for m in heard] == list(range(1, 801))


@pytest.mark.slow
def test_a_reader_that_pauses_stops_the_sender_and_loses_nothing(stage: Stage) -> None:
    """12 MiB through a reader that reads nothing at first: memory stays bounded."""
    alice, bob, *_ = stage.talk()
    text = "x" * 16_000
    sent = 0
    stalled = threading.Event()
    memory = psutil.Process().memory_info

    def say() -> None:
        nonlocal sent
        for _ in range(12 * 1_048_576 // len(text)):
            alice.send(text)
            sent += 1
        alice.bye()

    def watch() -> None:
        before = -1
        # The sender has stalled when it said nothing between two of these.
        while before != sent:
            before = sent
            stalled.wait(0.3)
        stalled.set()

    before = memory().rss
    saying = stage.spawn(say)
    stage.spawn(watch).result(DEADLINE_S)
    assert not saying.done()
    assert sent * len(text) < 8 * 1_048_576
    assert memory().rss - before < 40 * 1_048_576
    assert sum(1 for _ in bob.messages()) == 12 * 1_048_576 // len(text)
    saying.result(DEADLINE_S)
    bob.bye()
    assert isinstance(events(bob)[-1], Ended)
    assert isinstance(events(alice)[-1], Ended)


def test_a_send_that_waits_for_room_ends_with_the_conversation(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()
    text = "x" * 65_536

    def say() -> None:
        while True:
            alice.send(text)

    saying = stage.spawn(say)
    next_of(bob, Message)
    bob.hang_up()
    with pytest.raises(ConversationBroken, match="the conversation has ended"):
        saying.result(DEADLINE_S)
    error = broken(alice)
    assert isinstance(error, ConversationBroken)
    assert error.unconfirmed > 0


def test_close_and_hang_up_may_be_repeated_in_any_order(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()
    bob.bye()
    alice.close()
    alice.close()
    alice.hang_up()
    alice.close()
    bob.close()
    bob.hang_up()


def test_hang_up_breaks_it_off_for_the_other_and_keeps_what_was_said(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()
    alice.send("hello")
    next_of(bob, Message)
    next_of(alice, Delivered)
    bob.send("on its way")
    bob.hang_up()
    bob.hang_up()
    assert isinstance(broken(bob), ConversationBroken)
    error = broken(alice)
    assert isinstance(error, ConversationBroken)
    assert error.unconfirmed == 0
    assert error.exit_status == 7


def test_what_is_said_right_before_hanging_up_is_in_the_history(stage: Stage) -> None:
    waiting = stage.wait(stage.peer("bob"))
    alice = stage.peer("alice")
    pair = stage.talk_again(alice, waiting, iter(waiting))
    for n in range(500):
        pair.alice.send(f"{n}")
    pair.alice.hang_up()
    assert [record.text for record in alice.history("bob")] == [str(n) for n in range(500)]
    error = broken(pair.alice)
    assert isinstance(error, ConversationBroken)
    delivered = sum(record.delivered for record in alice.history("bob"))
    assert error.unconfirmed == 500 - delivered


def test_a_with_block_says_bye_and_waits_for_the_other(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()

    def answer() -> None:
        for message in bob.messages():
            bob.send(message.text)
        bob.close()

    answering = stage.spawn(answer)
    with alice:
        alice.send("ping")
    answering.result(DEADLINE_S)
    with pytest.raises(ConversationBroken):
        alice.send("too late")


def test_an_error_in_a_with_block_is_the_one_that_is_seen(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()
    bob.hang_up()
    with pytest.raises(KeyError, match="mine"), alice:
        raise KeyError("mine")
    assert isinstance(broken(alice), ConversationBroken)


def test_a_with_block_tells_what_was_lost_though_nobody_read(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()
    bob.hang_up()
    with pytest.raises(ConversationBroken), alice:
        alice._line.join(Deadline(DEADLINE_S))


def test_close_gives_up_on_a_silent_other_after_its_time(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()
    alice.send("are you there?")
    next_of(alice, Delivered)
    alice.close(linger=0.05)
    assert isinstance(broken(bob), ConversationBroken)


def test_next_event_returns_none_when_its_time_is_up(stage: Stage) -> None:
    alice, *_ = stage.talk()
    assert alice.next_event(0.01) is None
    assert alice.next_event(0) is None


def test_a_second_thread_that_reads_ends_too(stage: Stage) -> None:
    alice, bob, *_ = stage.talk()

    def read() -> None:
        with pytest.raises(LandlineError):
            list(alice.events())

    readers = [stage.spawn(read), stage.spawn(read)]
    bob.hang_up()
    for each in readers:
        each.result(DEADLINE_S)


def test_closing_the_peer_in_a_conversation_ends_it_on_both_sides(stage: Stage) -> None:
    stage.redial_s = 0.0
    waiting = stage.wait(stage.peer("bob"))
    peer = stage.peer("alice")
    alice, bob, *_ = stage.talk_again(peer, waiting, iter(waiting))
    alice.send("hello")
    peer.close()
    error = broken(alice)
    assert isinstance(error, ConversationBroken)
    assert isinstance(broken(bob), ConversationBroken)
    alice.hang_up()
