"""What a peer answers another program that resumes, asks what is stored, or holds another record."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import pytest

from landline.errors import ConnectionLost, ConversationBroken, RecordsDiffer
from landline.events import Delivered, Ended, Message, Reconnected, Reconnecting
from landline.journal import Beginning, Journal
from landline_protocol.conversation import fresh_digest
from landline_protocol.errors import FailCode
from landline_protocol.frames import (
    Accept,
    Ack,
    Ask,
    Batch,
    Bye,
    Chunk,
    End,
    Fail,
    Hello,
    Refuse,
    Stored,
    Text,
    Welcome,
    encode_item,
)
from landline_protocol.limits import ACK_S, WINDOW, WINDOW_MIN
from landline_protocol.link import Role
from tests.peer.raw import Raw, Wire, batch
from tests.peer.stage import DEADLINE_S, broken, events, next_of
from tests.support.waiting import Deadline, wait_until

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

    def answers(self) -> bool:
        """Whether bob listens, for as long as a caller dials."""
        for _ in range(5):
            wire = self.mallory.dial(self.claimed)
            wire.send(self.mallory.hello("bob", conversation=self.hello.conversation))
            if wire.answered():
                return True
            wire.close()
        return False


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


def test_hanging_up_while_the_other_talks_is_nobodys_breach(called: Called) -> None:
    """What comes after the last word of this side is not read any more."""
    for number in range(1, 2_000):
        called.wire.send(batch(number, ONE))
    called.bob._line.stop()
    error = broken(called.bob)
    assert "broke the protocol" not in str(error)
    assert "you hung up" in str(error)


def test_a_hello_is_welcome_again_whatever_became_of_the_accept(stage: Stage) -> None:
    """The link broke in the moment of the accept: it has begun and goes on, or rings anew."""
    calls = iter(stage.wait(stage.peer("bob")))
    mallory = Raw(stage, "mallory")
    for _ in range(8):
        coming = stage.spawn(lambda: next(calls))
        claimed = mallory.claim("bob")
        wire = mallory.dial(claimed)
        hello = mallory.hello("bob")
        wire.send(hello)
        wire.expect(Welcome)
        call = coming.result(DEADLINE_S)
        accepting = stage.spawn(call.accept)
        wire.send(hello)
        wire.gone()
        failed = accepting.exception(DEADLINE_S)
        coming = stage.spawn(lambda: next(calls)) if failed else coming
        called = Called(mallory, claimed, wire, hello, None, calls)  # type: ignore[arg-type]
        wire = called.again(resume=1)
        assert isinstance(wire.receive(), Welcome)
        talk = coming.result(DEADLINE_S).accept() if failed else accepting.result()
        wire.expect(Accept)
        wire.send(batch(1, ONE))
        assert next_of(talk, Message).text == "one"
        talk.hang_up()
        wire.close()


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


def fill(wire: Wire, first: int, octets: int) -> int:
    """Say the smallest texts there are, wait until they are stored, and return the next number."""
    tiny = [Text(0, "")] * 4_096
    until = first + octets // len(encode_item(tiny[0]))
    while first < until:
        texts = tiny[: until - first]
        wire.send(batch(first, *texts))
        first += len(texts)
    while stored(wire) < first - 1:
        pass
    return first


def stored(wire: Wire) -> int:
    """Return what bob says next that is stored; until he does, show that mallory is there."""
    while not wire.socket.poll(500):
        wire.send(Ack(0, WINDOW))
    return int(wire.expect(Ack).upto)


def resumed(called: Called, resume: int) -> tuple[Wire, int]:
    """Resume until a link stays, and return it with bob's window.

    A busy callee may take the first knock for a second one.
    """

    def through() -> tuple[Wire, int] | None:
        wire = called.again(resume=1)
        answer = wire.expect(Welcome)
        assert answer.resume == resume
        wire.expect(Accept)
        return None if wire.monitor.poll(200) else (wire, answer.window)

    found = wait_until(through, "a link stays")
    assert found is not None
    return found


def crowd(called: Called) -> int:
    """Fill bob's window and what a second link is lent, unread; return the number of texts."""
    following = fill(called.wire, 1, WINDOW)
    called.wire.close()
    wire, window = resumed(called, following)
    assert window == WINDOW_MIN
    following = fill(wire, following, WINDOW_MIN)
    wire.close()
    return following - 1


def test_who_resumes_again_and_again_is_let_in_when_something_was_read(
    stage: Stage, called: Called
) -> None:
    """What waits for bob to read it is bounded, however many links there were."""
    texts = crowd(called)
    assert not called.answers()
    read = 0
    while read < texts:
        read += sum(isinstance(event, Message) for event in called.bob.next_events(DEADLINE_S))
    reading = stage.spawn(lambda: next_of(called.bob, Reconnected))
    wire, window = resumed(called, texts + 1)
    assert window >= WINDOW_MIN
    reading.result(DEADLINE_S)
    wire.send(batch(texts + 1, TWO))
    assert next_of(called.bob, Message).text == "two"


def test_a_conversation_that_nobody_reads_can_be_hung_up_between_two_links(called: Called) -> None:
    crowd(called)
    assert not called.answers()
    ends = Deadline(DEADLINE_S)
    called.bob.hang_up()
    assert not ends.over


def test_a_program_that_reads_nothing_ends_between_two_links(stage: Stage, called: Called) -> None:
    crowd(called)
    assert not called.answers()
    ends = Deadline(DEADLINE_S)
    stage.peers["bob"].close()
    assert not ends.over


def test_a_conversation_that_nobody_reads_ends_as_one_that_nobody_resumes(
    stage: Stage, request: pytest.FixtureRequest
) -> None:
    stage.redial_s = 1.0
    called: Called = request.getfixturevalue("called")
    called.bob.send("kept")
    crowd(called)
    wait_until(lambda: called.bob._line.ended, "bob's line has ended")
    error = broken(called.bob)
    assert isinstance(error, ConversationBroken)
    assert isinstance(error.__cause__, ConnectionLost)
    assert "was not read here" in str(error)
    assert error.unconfirmed == 1
    assert [each.text for each in stage.peers["bob"].outbox()] == ["kept"]


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


def test_answers_in_any_order_bring_back_what_was_said_in_its_own(stage: Stage) -> None:
    """Three conversations broke off; mallory has nothing of any, and answers backwards."""
    mallory = Raw(stage, "mallory")
    alice = stage.peer("alice")
    conversations = [bytes((number,)) * 16 for number in range(3)]
    with closing(Journal(alice.home.journal("alice", stage.invite))) as journal:
        for number, conversation in enumerate(conversations):
            beginning = Beginning(conversation, "mallory", mallory.key.public, True, "", 0, 1)
            kept = journal.begin(beginning)
            said = Chunk(1, 1, encode_item(Text(number, f"text {number}")))
            journal.store(kept, [said], [], durable=False, at_ms=1)
            journal.finish(kept, complete=False)
    wire = mallory.wait()
    calling = stage.call(alice, "mallory")
    wire.take_call()
    talk = calling.result(DEADLINE_S)
    stage.resources.callback(talk.hang_up)
    talk.send("new")
    assert [wire.expect(Ask).conversation for _ in conversations] == conversations
    for conversation in reversed(conversations):
        wire.send(Stored(conversation, 0))
    texts: list[str] = []
    while len(texts) < 4:
        texts += [item.text for item in wire.expect(Batch).items]
    assert texts == ["text 0", "text 1", "text 2", "new"]


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
    first = wire.take_call()
    talk = calling.result(DEADLINE_S)
    talk.send("one")
    talk.send("two")
    wire.send(Fail(FailCode.HUNG_UP, ""))
    broken(talk)
    wire.close()
    wire = mallory.wait()
    calling = stage.call(alice, "mallory")
    wire.take_call()
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
