"""What a peer answers another program that resumes, asks what is stored, or holds another record."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from landline.errors import RecordsDiffer
from landline.events import Delivered, Ended, Message, Reconnected, Reconnecting
from landline_protocol.conversation import fresh_digest
from landline_protocol.errors import FailCode
from landline_protocol.frames import (
    Accept,
    Ack,
    Ask,
    Batch,
    Bye,
    End,
    Fail,
    Hello,
    Refuse,
    Stored,
    Text,
    Welcome,
    encode_item,
)
from landline_protocol.limits import ACK_S, WINDOW
from landline_protocol.link import Role
from tests.peer.raw import Raw, Wire, batch, welcome
from tests.peer.stage import DEADLINE_S, broken, events, next_of
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from landline.conversation import Conversation
    from landline.waiting import IncomingCall
    from landline_protocol.messages import Claimed
    from tests.peer.stage import Stage

ONE, TWO = Text(1, "one"), Text(2, "two")
WRONG = b"\0" * 32


class Called(NamedTuple):
    """Mallory's call with bob, who has accepted."""

    mallory: Raw
    claimed: Claimed
    wire: Wire
    hello: Hello
    bob: Conversation
    calls: Iterator[IncomingCall]

    def digest(self, role: Role, *texts: Text) -> bytes:
        """Return the digest of what was said in a direction."""
        digest = fresh_digest(self.hello.conversation, role)
        for text in texts:
            digest.update(encode_item(text))
        return digest.digest()

    def again(self, resume: int) -> Wire:
        """Dial until bob listens anew, and say hello for the same conversation."""
        hello = self.mallory.hello("bob", conversation=self.hello.conversation, resume=resume)

        def dial() -> Wire | None:
            wire = self.mallory.dial(self.claimed)
            wire.send(hello)
            if wire.answered():
                return wire
            wire.close()
            return None

        wire = wait_until(dial, "bob listens anew")
        assert wire is not None
        return wire


@pytest.fixture
def called(stage: Stage) -> Called:
    calls = iter(stage.wait(stage.peer("bob")))
    mallory = Raw(stage, "mallory")
    claimed = mallory.claim("bob")
    wire = mallory.dial(claimed)
    hello = mallory.hello("bob")
    wire.send(hello)
    wire.expect(Welcome)
    bob = next(calls).accept()
    stage.resources.callback(bob.hang_up)
    wire.expect(Accept)
    return Called(mallory, claimed, wire, hello, bob, calls)


# -- records that differ --------------------------------------------------------


def test_a_bye_about_other_texts_is_told_on_both_sides(called: Called) -> None:
    called.wire.send(batch(1, ONE))
    assert next_of(called.bob, Message).text == "one"
    called.wire.send(batch(2, Bye(3, called.digest(Role.CALLER, TWO), 0, WRONG)))
    assert called.wire.expect(Fail).code == FailCode.DISAGREEMENT
    error = broken(called.bob)
    assert isinstance(error, RecordsDiffer)
    assert error.exit_status == 1
    assert "THE RECORDS DIFFER" in str(error)


def test_a_bye_of_who_has_heard_other_texts_is_told_on_both_sides(called: Called) -> None:
    called.bob.send("one")
    called.wire.expect(Batch)
    called.wire.send(Ack(1, WINDOW))
    heard = called.digest(Role.CALLEE, TWO)
    called.wire.send(batch(1, Bye(3, called.digest(Role.CALLER), 1, heard)))
    assert called.wire.expect(Fail).code == FailCode.DISAGREEMENT
    assert isinstance(broken(called.bob), RecordsDiffer)


def test_the_others_word_that_the_records_differ_is_told(called: Called) -> None:
    called.wire.send(Fail(FailCode.DISAGREEMENT, "not what I said"))
    assert isinstance(broken(called.bob), RecordsDiffer)


# -- resuming ---------------------------------------------------------------------


def test_what_was_changed_on_the_way_costs_no_more_than_the_link(called: Called) -> None:
    """That a message has more parts is not encrypted."""
    called.wire.send(End(), End())
    next_of(called.bob, Reconnecting)
    wire = called.again(resume=1)
    assert wire.expect(Welcome).resume == 1
    wire.expect(Accept)
    next_of(called.bob, Reconnected)
    wire.send(batch(1, ONE))
    assert next_of(called.bob, Message).text == "one"


@pytest.mark.slow
def test_what_is_not_acknowledged_in_time_is_said_again_on_another_link(called: Called) -> None:
    called.bob.send("one")
    assert called.wire.expect(Batch).first == 1
    event = called.bob.next_event(2 * ACK_S)
    assert isinstance(event, Reconnecting)
    wire = called.again(resume=1)
    wire.expect(Welcome)
    wire.expect(Accept)
    assert [item.text for item in wire.expect(Batch).items] == ["one"]
    wire.send(Ack(1, WINDOW))
    next_of(called.bob, Reconnected)
    assert next_of(called.bob, Delivered).upto == 1


def test_who_knocks_again_is_believed_that_the_link_before_is_dead(called: Called) -> None:
    """The callee's own end of it may look alive for seconds."""
    called.wire.send(batch(1, ONE))
    assert next_of(called.bob, Message).text == "one"
    called.bob.send("two")
    called.wire.expect(Batch)
    assert called.mallory.dial(called.claimed).gone()
    assert next_of(called.bob, Reconnecting).name == "mallory"
    wire = called.again(resume=1)
    answer = wire.expect(Welcome)
    assert (answer.conversation, answer.resume) == (called.hello.conversation, 2)
    wire.expect(Accept)
    assert next_of(called.bob, Reconnected).name == "mallory"
    assert [item.text for item in wire.expect(Batch).items] == ["two"]
    wire.send(batch(2, TWO))
    assert next_of(called.bob, Message).number == 2


@pytest.mark.parametrize("resume", [1, 3])
def test_a_resume_that_is_not_possible_is_refused(called: Called, resume: int) -> None:
    """Bob has said one item, which mallory has confirmed: only the second can be next."""
    called.bob.send("one")
    called.wire.expect(Batch)
    called.wire.send(Ack(1, WINDOW))
    next_of(called.bob, Delivered)
    called.wire.close()
    next_of(called.bob, Reconnecting)
    wire = called.again(resume)
    assert wire.expect(Refuse).code == FailCode.UNKNOWN_CONVERSATION
    broken(called.bob)


def test_a_conversation_that_is_complete_is_ended_once_more_for_who_missed_it(
    stage: Stage, called: Called
) -> None:
    """Mallory's last acknowledgement arrived; what came back to her did not."""
    called.bob.bye()
    called.wire.expect(Batch)
    own = called.digest(Role.CALLER)
    called.wire.send(Ack(1, WINDOW))
    called.wire.send(batch(1, Bye(1, own, 0, called.digest(Role.CALLEE))))
    called.wire.send(End())
    assert events(called.bob)[-1] == Ended(said=0, heard=0)
    called.wire.close()
    coming = stage.spawn(lambda: next(called.calls))
    wire = called.again(resume=2)
    assert wire.expect(Welcome).resume == 2
    wire.expect(Accept)
    call = coming.result(DEADLINE_S)
    assert call.resumed
    talk = call.accept()
    wire.send(End())
    assert events(talk)[-1] == Ended(said=0, heard=0)


# -- settling -----------------------------------------------------------------


def test_what_is_stored_of_another_conversation_is_told(stage: Stage, called: Called) -> None:
    """And of one that nobody knows: nothing. Neither is resumed from then on."""
    called.wire.send(batch(1, ONE, TWO))
    assert called.wire.expect(Ack).upto == 2
    called.wire.send(Fail(FailCode.HUNG_UP, ""))
    broken(called.bob)
    coming = stage.spawn(lambda: next(called.calls).accept())
    wire = called.mallory.call("bob")
    stage.resources.callback(coming.result(DEADLINE_S).hang_up)
    wire.expect(Accept)
    for conversation, upto in ((called.hello.conversation, 2), (b"\7" * 16, 0)):
        wire.send(Ask(conversation))
        assert wire.expect(Stored) == Stored(conversation, upto)


def test_what_another_device_of_a_user_said_is_not_told(stage: Stage, called: Called) -> None:
    called.wire.send(batch(1, ONE))
    assert called.wire.expect(Ack).upto == 1
    called.wire.send(Fail(FailCode.HUNG_UP, ""))
    broken(called.bob)
    coming = stage.spawn(lambda: next(called.calls).accept())
    wire = Raw(stage, "mallory").call("bob")
    stage.resources.callback(coming.result(DEADLINE_S).hang_up)
    wire.expect(Accept)
    wire.send(Ask(called.hello.conversation))
    assert wire.expect(Stored).upto == 0


def test_to_ask_about_the_conversation_that_is_on_is_a_breach(called: Called) -> None:
    called.wire.send(Ask(called.hello.conversation))
    assert called.wire.expect(Fail).code == FailCode.UNEXPECTED
    broken(called.bob)


def test_nothing_is_said_before_every_question_is_answered(stage: Stage) -> None:
    """Mallory has stored one of two texts; the other is said again, then what is new."""
    mallory = Raw(stage, "mallory")
    alice = stage.peer("alice")
    wire = mallory.wait()
    calling = stage.call(alice, "mallory", once=True)
    first = wire.expect(Hello)
    wire.send(welcome(first))
    wire.send(Accept())
    talk = calling.result(DEADLINE_S)
    talk.send("one")
    talk.send("two")
    wire.send(Fail(FailCode.HUNG_UP, ""))
    broken(talk)
    wire.close()
    wire = mallory.wait()
    calling = stage.call(alice, "mallory")
    wire.send(welcome(wire.expect(Hello)))
    wire.send(Accept())
    talk = calling.result(DEADLINE_S)
    stage.resources.callback(talk.hang_up)
    talk.send("three")
    assert wire.receive() == Ask(first.conversation)
    assert not wire.socket.poll(200)
    wire.send(Stored(first.conversation, 1))
    texts: list[str] = []
    while len(texts) < 2:
        texts += [item.text for item in wire.expect(Batch).items]
    assert texts == ["two", "three"]
    records = [(record.text, record.delivered) for record in alice.history("mallory")]
    assert records[0] == ("one", True)
