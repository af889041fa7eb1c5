"""Calling: what the outbox holds comes first, and a program that died takes its call up again."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from landline.errors import Engaged, Refused
from landline.events import (
    CaughtUp,
    Delivered,
    Ended,
    Message,
    Progress,
    Reconnected,
    Reconnecting,
    SaidBye,
)
from landline.home import Home
from landline.journal import Journal
from landline.peer import Peer
from landline_protocol.frames import Accept, Refuse
from tests.peer.raw import Raw
from tests.peer.stage import DEADLINE_S, broken, events, insist, next_of
from tests.support.proxy import Proxy, Way
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from landline.waiting import IncomingCall
    from tests.peer.stage import Stage
    from tests.support.children import Child, Children

TALKER = Path(__file__).with_name("talker.py")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """The line between a caller and a callee."""
    with Proxy() as proxy:
        yield proxy


def talker(stage: Stage, children: Children, name: str, *what: str) -> Child:
    """Start a user in a process of its own."""
    return children.start_program([sys.executable, str(TALKER), str(stage.home(name)), *what])


def heard(call: IncomingCall) -> list[str]:
    """Take a call, and return what was said in it; say bye at the end."""
    with call.accept() as talk:
        return [message.text for message in talk.messages()]


def said(peer: Peer, other: str) -> list[tuple[str, bool]]:
    """Return what the history says that was said here, and whether it was delivered."""
    return [(record.text, record.delivered) for record in peer.history(other) if record.mine]


# -- a conversation that broke off ---------------------------------------------


@pytest.mark.parametrize("stored", [False, True], ids=["lost", "stored"])
def test_what_was_not_confirmed_is_delivered_in_the_next_call_exactly_once(
    stage: Stage, proxy: Proxy, stored: bool
) -> None:
    """Whether the other had stored it, and only the acknowledgement was lost, or not."""
    stage.redial_s = 0.0
    pair = stage.talk(proxy)
    pair.alice.send("one")
    while next_of(pair.alice, Delivered).upto < 1:
        pass
    proxy.stall(Way.BACK if stored else Way.THERE)
    texts = ["two", "three", "four"]
    for text in texts:
        pair.alice.send(text)
    if stored:
        assert [next_of(pair.bob, Message).text for _ in range(4)] == ["one", *texts]
        bob = stage.peers["bob"]
        wait_until(lambda: len(list(bob.history("alice"))) == 4, "bob has stored all")
    proxy.refuse()
    error = broken(pair.alice)
    assert getattr(error, "unconfirmed", None) == 3
    broken(pair.bob)
    alice = stage.peers["alice"]
    assert [each.text for each in alice.outbox("bob")] == texts
    coming = stage.spawn(lambda: heard(next(pair.calls)))
    with stage.call(alice, "bob").result(DEADLINE_S) as talk:
        assert talk.send("live") == 1
    assert coming.result(DEADLINE_S) == ([] if stored else texts) + ["live"]
    everything = ["one", *texts, "live"]
    assert said(alice, "bob") == [(text, True) for text in everything]
    assert [record.text for record in stage.peers["bob"].history("alice")] == everything
    assert list(alice.outbox()) == []


def test_what_the_callee_could_not_deliver_is_said_when_it_is_called_again(
    stage: Stage, proxy: Proxy
) -> None:
    stage.redial_s = 0.0
    pair = stage.talk(proxy)
    proxy.stall(Way.BACK)
    pair.bob.send("unheard")
    pair.bob.hang_up()
    proxy.refuse()
    broken(pair.alice)
    coming = stage.spawn(lambda: heard(next(pair.calls)))
    with stage.call(stage.peers["alice"], "bob").result(DEADLINE_S) as talk:
        assert next_of(talk, Message).text == "unheard"
    assert coming.result(DEADLINE_S) == []
    assert said(stage.peers["bob"], "alice") == [("unheard", True)]


def test_several_broken_conversations_are_made_good_in_their_order(
    stage: Stage, proxy: Proxy
) -> None:
    stage.redial_s = 0.0
    talk, bob, waiting, calls = stage.talk(proxy)
    alice = stage.peers["alice"]
    for n in range(3):
        proxy.stall(Way.THERE)
        talk.send(f"{n}")
        proxy.refuse()
        broken(talk), broken(bob)
        coming = stage.spawn(lambda: next(calls).accept())
        wait_until(lambda: alice.who("bob")[0].state == "waiting", "bob waits again")
        stage.lead_through(proxy, waiting)
        proxy.admit()
        proxy.resume()
        talk = stage.call(alice, "bob").result(DEADLINE_S)
        stage.resources.callback(talk.hang_up)
        bob = coming.result(DEADLINE_S)
        stage.resources.callback(bob.hang_up)
        assert next_of(bob, Message).text == f"{n}"
    talk.bye()
    bob.bye()
    assert isinstance(events(talk)[-1], Ended)
    assert isinstance(events(bob)[-1], Ended)
    assert said(alice, "bob") == [(f"{n}", True) for n in range(3)]


# -- the outbox ----------------------------------------------------------------


def test_what_the_outbox_holds_is_said_before_anything_else(stage: Stage) -> None:
    alice = stage.peer("alice")
    stage.register("bob")
    kept = [f"kept {n}" for n in range(1_200)]
    sending = alice.send("bob", kept)
    assert (sending.kept, sending.delivered) == (1_200, 0)
    assert "not waiting" in sending.why
    waiting = stage.wait(stage.peer("bob"))
    coming = stage.spawn(lambda: heard(next(iter(waiting))))
    talk = stage.call(alice, "bob").result(DEADLINE_S)
    assert [talk.send("live 1"), talk.send("live 2")] == [1, 2]
    talk.bye()
    happened = events(talk)
    assert coming.result(DEADLINE_S) == [*kept, "live 1", "live 2"]
    assert [e.upto for e in happened if isinstance(e, Delivered)][-1] == 2
    assert list(alice.outbox()) == []


def test_a_delivery_rings_nowhere(stage: Stage) -> None:
    alice = stage.peer("alice")
    calls = iter(stage.wait(stage.peer("bob")))
    coming = stage.spawn(lambda: next(calls))
    sending = stage.spawn(lambda: alice.send("bob", ["one", "two"]))
    call = coming.result(DEADLINE_S)
    assert (call.caller, call.rings, call.resumed) == ("alice", False, False)
    assert heard(call) == ["one", "two"]
    done = sending.result(DEADLINE_S)
    assert (done.other, done.kept, done.delivered, done.why) == ("bob", 0, 2, "")


def test_what_could_not_be_delivered_stays_and_is_flushed(stage: Stage) -> None:
    alice = stage.peer("alice")
    waiting = stage.wait(stage.peer("bob"))
    calls = iter(waiting)
    sending = stage.spawn(lambda: alice.send("bob", ["one"]))
    next(calls).decline("not now")
    coming = stage.spawn(lambda: heard(next(calls)))
    result = sending.result(DEADLINE_S)
    assert (result.kept, result.delivered) == (1, 0)
    assert "not now" in result.why
    assert [(each.other, each.text) for each in alice.outbox()] == [("bob", "one")]
    wait_until(lambda: alice.who("bob")[0].state == "waiting", "bob waits again")
    assert [(s.other, s.kept, s.delivered) for s in alice.flush()] == [("bob", 0, 1)]
    assert coming.result(DEADLINE_S) == ["one"]
    assert alice.flush() == []


def test_the_outbox_needs_no_broker(stage: Stage) -> None:
    alice = stage.peer("alice")
    stage.stop_broker()
    sending = alice.send("bob", ["later"])
    assert (sending.kept, sending.delivered) == (1, 0)
    assert [each.text for each in alice.outbox("bob")] == ["later"]
    assert list(alice.outbox("carol")) == []


def test_without_a_history_nothing_is_left(stage: Stage) -> None:
    stage.keep_history = False
    pair = stage.talk()
    pair.alice.send("one")
    pair.alice.bye()
    pair.bob.send("two")
    pair.bob.bye()
    assert events(pair.bob)[-1] == Ended(said=1, heard=1)
    assert events(pair.alice)[-1] == Ended(said=1, heard=1)
    assert list(stage.peers["alice"].history()) == list(stage.peers["bob"].history()) == []


def test_without_a_history_what_is_not_delivered_is_kept(stage: Stage, proxy: Proxy) -> None:
    stage.keep_history = False
    stage.redial_s = 0.0
    pair = stage.talk(proxy)
    pair.alice.send("one")
    while next_of(pair.alice, Delivered).upto < 1:
        pass
    proxy.stall(Way.THERE)
    pair.alice.send("two")
    proxy.refuse()
    broken(pair.alice), broken(pair.bob)
    alice = stage.peers["alice"]
    assert [each.text for each in alice.outbox()] == ["two"]
    coming = stage.spawn(lambda: heard(next(pair.calls)))
    stage.call(alice, "bob").result(DEADLINE_S).close()
    assert coming.result(DEADLINE_S) == ["two"]
    assert [*alice.history(), *alice.outbox()] == []


# -- two at once ---------------------------------------------------------------


def test_whom_one_talks_to_already_is_not_called(stage: Stage) -> None:
    pair = stage.talk()
    stage.wait(stage.peers["alice"])
    with pytest.raises(Engaged):
        stage.peers["alice"].call("bob")
    with pytest.raises(Engaged, match="you talk to alice already"):
        stage.peers["bob"].call("alice")
    pair.alice.send("undisturbed")
    assert next_of(pair.bob, Message).text == "undisturbed"


def test_who_is_talked_to_already_is_not_let_in_a_second_time(stage: Stage) -> None:
    mallory = Raw(stage, "mallory")
    wire = mallory.wait()
    alice = stage.peer("alice")
    calling = stage.call(alice, "mallory", once=True)
    wire.take_call()
    talk = calling.result(DEADLINE_S)
    stage.wait(alice)
    second = mallory.dial(mallory.claim("alice"))
    second.send(mallory.hello("alice"))
    assert isinstance(second.receive(), Refuse)
    assert talk.next_event(0.0) is None


def test_whoever_is_blocked_is_refused(stage: Stage) -> None:
    bob = stage.peer("bob")
    bob.block("alice")
    assert bob.blocked() == ["alice"]
    waiting = stage.wait(bob)
    alice = stage.peer("alice")
    with pytest.raises(Refused):
        alice.call("bob")
    sending = alice.send("bob", ["let me in"])
    assert (sending.kept, sending.delivered) == (1, 0)
    assert bob.unblock("alice")
    assert not bob.unblock("alice")
    coming = stage.spawn(lambda: heard(next(iter(waiting))))
    wait_until(lambda: alice.who("bob")[0].state == "waiting", "bob waits again")
    stage.call(alice, "bob").result(DEADLINE_S).close()
    assert coming.result(DEADLINE_S) == ["let me in"]


# -- programs that die ---------------------------------------------------------


def test_a_caller_that_was_killed_before_it_knew_of_the_answer_calls_anew(stage: Stage) -> None:
    """The callee is engaged with it, and it does not know."""
    calls = iter(stage.wait(stage.peer("bob")))
    killed = Raw(stage, "alice")
    wire = killed.call("bob")
    forsaken = next(calls).accept()
    wire.expect(Accept)
    wire.close()
    next_of(forsaken, Reconnecting)
    home = stage.home("alice")
    home.mkdir()
    (home / "device.key").write_bytes(killed.key.secret)
    calling = stage.call(stage.peer("alice"), "bob", once=True)
    assert "begun another conversation" in str(broken(forsaken))
    bob = next(calls).accept()
    alice = calling.result(DEADLINE_S)
    alice.send("here again")
    assert next_of(bob, Message).text == "here again"
    bob.hang_up()


def test_a_caller_that_is_killed_takes_the_conversation_up_again(
    stage: Stage, children: Children
) -> None:
    waiting = stage.wait(stage.peer("bob"))
    calls = iter(waiting)
    stage.peer("alice").close()
    first = talker(stage, children, "alice", "call", "bob")
    bob = next(calls).accept()
    first.send_line("one")
    assert next_of(bob, Message).text == "one"
    bob.send("two")
    first.expect_line("heard 1 two")
    first.expect_line("Delivered")
    first.kill()
    next_of(bob, Reconnecting)
    bob.send("three")
    second = talker(stage, children, "alice", "call", "bob")
    second.expect_line("heard 2 three")
    next_of(bob, Reconnected)
    second.send_line("four")
    message = next_of(bob, Message)
    assert (message.text, message.number) == ("four", 2)
    second.close_stdin()
    bob.bye()
    assert events(bob)[-1] == Ended(said=2, heard=2)
    assert second.wait() == 0
    assert said(stage.peers["bob"], "alice") == [("two", True), ("three", True)]


def test_what_is_said_to_a_caller_that_was_killed_after_its_bye_is_shown(
    stage: Stage, children: Children
) -> None:
    calls = iter(stage.wait(stage.peer("bob")))
    stage.peer("alice").close()
    first = talker(stage, children, "alice", "call", "bob")
    bob = next(calls).accept()
    first.close_stdin()
    next_of(bob, SaidBye)
    first.kill()
    first.wait()
    next_of(bob, Reconnecting)
    bob.send("one")
    bob.send("two")
    steps: list[Progress] = []
    with Peer(stage.home("alice")) as alice:
        calling = stage.spawn(insist, lambda: alice.call("bob", progress=steps.append))
        next_of(bob, Reconnected)
        bob.bye()
        assert events(bob)[-1] == Ended(said=2, heard=0)
        again = next(calls).accept()
        talk = calling.result(DEADLINE_S)
        talk.hang_up()
        again.hang_up()
    caught_up = [step for step in steps if isinstance(step, CaughtUp)]
    assert [each.text for step in caught_up for each in step.messages] == ["one", "two"]


def test_what_waits_is_not_said_in_a_conversation_after_its_bye(
    stage: Stage, children: Children, proxy: Proxy
) -> None:
    """But in the next one."""
    waiting = stage.wait(stage.peer("bob"))
    stage.lead_through(proxy, waiting)
    calls = iter(waiting)
    stage.peer("alice").close()
    first = talker(stage, children, "alice", "call", "bob")
    bob = next(calls).accept()
    path = Home(stage.home("alice")).journal("alice", stage.invite)
    with closing(Journal(path)) as journal:
        (kept,) = wait_until(lambda: journal.in_progress("bob"), "the conversation is kept")
        proxy.stall()
        first.close_stdin()
        wait_until(lambda: list(journal.chunks(kept.id, mine=True)), "the bye is kept")
        first.kill()
        first.wait()
        journal.post("bob", [(5, "later")])
    proxy.cut()
    proxy.resume()
    with Peer(stage.home("alice")) as alice:
        calling = stage.spawn(insist, lambda: alice.call("bob"))
        next_of(bob, SaidBye)
        bob.bye()
        assert events(bob)[-1] == Ended(said=0, heard=0)
        again = next(calls).accept()
        assert next_of(again, Message).text == "later"
        calling.result(DEADLINE_S).hang_up()
        again.hang_up()


def test_a_callee_that_is_killed_takes_the_conversation_up_again(
    stage: Stage, children: Children
) -> None:
    stage.peer("bob").close()
    first = talker(stage, children, "bob", "wait")
    first.expect_line("waiting")
    talk = stage.call(stage.peer("alice"), "bob").result(DEADLINE_S)
    talk.send("one")
    first.expect_line("heard 1 one")
    first.kill()
    next_of(talk, Reconnecting)
    talk.send("two")
    second = talker(stage, children, "bob", "wait")
    second.expect_line("resumed")
    second.expect_line("heard 2 two")
    next_of(talk, Reconnected)
    second.send_line("three")
    assert next_of(talk, Message).text == "three"
    talk.bye()
    assert events(talk)[-1] == Ended(said=2, heard=1)
    assert second.wait() == 0


def test_a_conversation_goes_on_when_both_programs_were_killed(
    stage: Stage, children: Children
) -> None:
    for name in ("alice", "bob"):
        stage.peer(name).close()
    bob = talker(stage, children, "bob", "wait")
    bob.expect_line("waiting")
    alice = talker(stage, children, "alice", "call", "bob")
    alice.expect_line("talking")
    alice.send_line("one")
    bob.expect_line("heard 1 one")
    alice.kill()
    bob.kill()
    bob = talker(stage, children, "bob", "wait")
    bob.expect_line("waiting")
    alice = talker(stage, children, "alice", "call", "bob")
    bob.expect_line("resumed")
    alice.send_line("two")
    bob.expect_line("heard 2 two")
    alice.close_stdin()
    assert bob.wait() == alice.wait() == 0
