"""The courier: while a peer waits, what its outbox holds is brought in the background."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from landline.archive import silent
from landline.calling import Caller
from landline.courier import Courier
from landline.device import device_key
from landline.ends import Engagements
from landline.errors import ConversationBroken, JournalUnusable, RecordsDiffer
from landline.events import Message
from landline.journal import Journal
from landline_protocol.conversation import fresh_digest
from landline_protocol.frames import Accept, Ack, Batch, Bye, Hello, Text
from landline_protocol.limits import REDIAL_S, WINDOW
from landline_protocol.link import Role
from tests.peer.raw import Raw, Wire, batch, welcome
from tests.peer.stage import DEADLINE_S, next_of
from tests.support.waiting import Deadline, wait_until

if TYPE_CHECKING:
    from landline.peer import Peer, Sending
    from landline.waiting import IncomingCall
    from tests.peer.stage import Stage


def heard(call: IncomingCall) -> list[str]:
    """Take a call, and return what was said in it; say bye at the end."""
    with call.accept() as talk:
        return [message.text for message in talk.messages()]


def keep(stage: Stage, other: str, text: str) -> None:
    """Put a text into alice's outbox as another program of her home does."""
    home = stage.peers["alice"].home
    with closing(Journal(home.journal("alice", stage.invite))) as journal:
        journal.post(other, [(1, text)])


def impatient(stage: Stage, alice: Peer) -> Caller:
    """Return a caller of alice's for whom a delivery has to get on soon."""
    return Caller(
        alice._context,
        stage.invite,
        device_key(alice.home),
        "alice",
        alice._journal_of("alice"),
        Engagements(),
        REDIAL_S,
        stalled_s=1.0,
    )


def drip(wire: Wire, ends: threading.Event) -> None:
    """Take a delivery, confirm nothing of it, and say something now and then."""
    wire.take_call()
    number = 1
    while not ends.wait(0.1):
        wire.send(batch(number, Text(1, "wait")))
        number += 1


def test_who_says_much_and_confirms_nothing_does_not_hold_a_delivery(stage: Stage) -> None:
    alice = stage.peer("alice")
    wire = Raw(stage, "mallory").wait()
    keep(stage, "mallory", "kept")
    ends = threading.Event()
    stage.resources.callback(ends.set)
    stage.spawn(drip, wire, ends)
    due = Deadline(DEADLINE_S)
    with (
        closing(alice._new_client()) as client,
        pytest.raises(ConversationBroken, match="mallory confirmed nothing more"),
    ):
        impatient(stage, alice).deliver("mallory", client, silent)
    assert not due.over
    assert [each.text for each in alice.outbox()] == ["kept"]


def test_who_holds_a_delivery_keeps_nobody_else_from_theirs(stage: Stage) -> None:
    """Aaron comes before bob."""
    alice = stage.peer("alice")
    wire = Raw(stage, "aaron").wait()
    calls = iter(stage.wait(stage.peer("bob")))
    keep(stage, "aaron", "held")
    keep(stage, "bob", "kept")
    ends = threading.Event()
    stage.resources.callback(ends.set)
    stage.spawn(drip, wire, ends)
    notices: list[str] = []
    courier = Courier(
        impatient(stage, alice), alice._new_client, alice._journal_of("alice"), notices.append
    )
    courier.start()
    stage.resources.callback(courier.stop)
    assert heard(next(calls)) == ["kept"]
    wait_until(lambda: "what was kept for bob is delivered" in notices, "alice is told")
    assert "aaron says: wait" in notices


def wrong_bye(wire: Wire) -> None:
    """Take a delivery of one text, and say a bye that claims to have heard another."""
    hello = wire.take_call()
    wire.expect(Batch)
    wire.send(Ack(1, WINDOW))
    own = fresh_digest(hello.conversation, Role.CALLEE).digest()
    wire.send(batch(1, Bye(1, own, 1, b"?" * 32)))


def test_records_that_differ_are_told_by_who_delivers(stage: Stage) -> None:
    """The courier tells it, and so does who sends."""
    alice = stage.peer("alice")
    mallory = Raw(stage, "mallory")
    stage.spawn(wrong_bye, mallory.wait())
    with pytest.raises(RecordsDiffer):
        alice.send("mallory", ["one"])
    keep(stage, "mallory", "two")
    stage.spawn(wrong_bye, mallory.wait())
    stage.wait(alice)
    wait_until(lambda: stage.notices["alice"], "alice is told")
    assert "THE RECORDS DIFFER" in stage.notices["alice"][0]


def test_what_is_answered_to_a_delivery_is_told(stage: Stage) -> None:
    alice = stage.peer("alice")
    calls = iter(stage.wait(stage.peer("bob")))

    def answer() -> None:
        with next(calls).accept() as talk:
            for message in talk.messages():
                talk.send(f"you said: {message.text}")

    stage.spawn(answer)
    told: list[str] = []
    sending = insist_sent(alice, told)
    assert (sending.delivered, sending.kept) == (1, 0)
    assert told == ["you said: one"]
    keep(stage, "bob", "two")
    stage.spawn(answer)
    stage.wait(alice)
    wait_until(lambda: len(stage.notices["alice"]) == 2, "alice is told")
    assert stage.notices["alice"] == [
        "bob says: you said: two",
        "what was kept for bob is delivered",
    ]


def insist_sent(alice: Peer, told: list[str]) -> Sending:
    """Send a text, and flush until it is delivered."""
    sending = alice.send("bob", ["one"], hear=lambda message: told.append(message.text))

    def delivered() -> Sending | None:
        nonlocal sending
        if sending.kept:
            (sending,) = alice.flush("bob", hear=lambda message: told.append(message.text))
        return None if sending.kept else sending

    found = wait_until(delivered, "it is delivered")
    assert found is not None
    return found


def test_a_journal_that_fails_for_a_while_does_not_end_the_courier(stage: Stage) -> None:
    """It is told once."""
    alice = stage.peer("alice")
    keep(stage, "bob", "kept")
    opened = 0

    def journal() -> Journal:
        nonlocal opened
        opened += 1
        if opened < 3:
            raise JournalUnusable("it is locked")
        return alice._journal_of("alice")()

    notices: list[str] = []
    calls = iter(stage.wait(stage.peer("bob")))
    courier = Courier(impatient(stage, alice), alice._new_client, journal, notices.append)
    courier.start()
    stage.resources.callback(courier.stop)
    assert heard(next(calls)) == ["kept"]
    wait_until(lambda: len(notices) == 2, "alice is told")
    assert "it is locked" in notices[0]
    assert notices[1] == "what was kept for bob is delivered"


def test_what_is_kept_is_delivered_while_one_waits(stage: Stage) -> None:
    alice = stage.peer("alice")
    stage.register("bob")
    alice.send("bob", ["one", "two"])
    stage.wait(alice)
    call = next(iter(stage.wait(stage.peer("bob"))))
    assert (call.caller, call.rings) == ("alice", False)
    assert heard(call) == ["one", "two"]
    wait_until(lambda: stage.notices["alice"], "alice is told")
    assert stage.notices["alice"] == ["what was kept for bob is delivered"]
    assert list(alice.outbox()) == []


def test_what_is_kept_while_one_waits_already_is_delivered_too(stage: Stage) -> None:
    alice = stage.peer("alice")
    stage.wait(alice)
    calls = iter(stage.wait(stage.peer("bob")))
    for n in range(2):
        keep(stage, "bob", f"{n}")
        assert heard(next(calls)) == [f"{n}"]


def test_callers_come_in_during_a_delivery(stage: Stage) -> None:
    alice = stage.peer("alice")
    mallory = Raw(stage, "mallory")
    wire = mallory.wait()
    keep(stage, "mallory", "kept")
    calls = iter(stage.wait(alice))
    wire.send(welcome(wire.expect(Hello)))
    bob = stage.call(stage.peer("bob"), "alice")
    talk = next(calls).accept()
    stage.resources.callback(talk.hang_up)
    bob.result(DEADLINE_S).send("hello")
    assert next_of(talk, Message).text == "hello"


def test_waiting_ends_promptly_in_the_middle_of_a_delivery(stage: Stage) -> None:
    """The other takes what is brought, and never says bye."""
    alice = stage.peer("alice")
    mallory = Raw(stage, "mallory")
    wire = mallory.wait()
    keep(stage, "mallory", "kept")
    with alice.wait():
        hello = wire.expect(Hello)
        assert not hello.ring
        wire.send(welcome(hello))
        wire.send(Accept())
        assert [item.text for item in wire.expect(Batch).items][:1] == ["kept"]
        ends = Deadline(5.0)
    assert not ends.over
    assert [each.text for each in alice.outbox()] == ["kept"]


def test_waiting_ends_promptly_while_it_knocks(stage: Stage) -> None:
    """The other lets in whoever connects, and says nothing."""
    alice = stage.peer("alice")
    mallory = Raw(stage, "mallory")
    wire = mallory.wait()
    keep(stage, "mallory", "kept")
    with alice.wait():
        wire.expect(Hello)
        ends = Deadline(5.0)
    assert not ends.over
