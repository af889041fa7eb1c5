"""Waiting: callers one after the other, accepted, declined, unanswered, gone."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from landline.errors import (
    ConversationBroken,
    Declined,
    Engaged,
    InvalidInput,
    LandlineError,
    NoAnswer,
    Offline,
)
from landline.events import Message
from landline.peer import Peer
from landline_protocol.messages import Leased, Wait
from tests.peer.raw import Raw
from tests.peer.stage import DEADLINE_S, broken, next_of
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.peer.stage import Stage


def test_callers_come_one_after_the_other_at_the_same_port(stage: Stage) -> None:
    waiting = stage.wait(stage.peer("bob"))
    calls = iter(waiting)
    alice = stage.peer("alice")
    for n in range(5):
        talk, bob, *_ = stage.talk_again(alice, waiting, calls)
        talk.send(f"{n}")
        talk.bye()
        assert [m.text for m in bob.messages()] == [f"{n}"]
        bob.close()
        talk.close()
        assert waiting.port == waiting.account.port
    assert stage.notices["bob"] == []


def test_a_call_is_declined_with_a_word(stage: Stage) -> None:
    calls = iter(stage.wait(stage.peer("bob")))
    alice = stage.peer("alice")
    for _ in range(5):
        coming = stage.spawn(lambda: next(calls))
        calling = stage.call(alice, "bob")
        call = coming.result(DEADLINE_S)
        assert call.caller == "alice"
        call.decline("in a \x1bmeeting")
        call.decline("again")
        with pytest.raises(Declined, match="bob declined the call: in a \N{SYMBOL FOR ESCAPE}me"):
            calling.result(DEADLINE_S)
        assert call.ended
        with pytest.raises(LandlineError, match="answered already"):
            call.accept()


def test_a_call_that_is_left_unanswered_is_declined(stage: Stage) -> None:
    calls = iter(stage.wait(stage.peer("bob")))
    alice = stage.peer("alice")
    calling = stage.call(alice, "bob")
    next(calls)
    second = stage.spawn(lambda: next(calls))
    with pytest.raises(Declined, match=r"bob declined the call$"):
        calling.result(DEADLINE_S)
    again = stage.call(alice, "bob")
    second.result(DEADLINE_S).accept().hang_up()
    again.result(DEADLINE_S)


@pytest.mark.parametrize("say", ["x" * 513, "\ud800"], ids=["long", "surrogate"])
def test_what_cannot_be_said_to_a_caller_is_refused_and_it_rings_on(stage: Stage, say: str) -> None:
    calls = iter(stage.wait(stage.peer("bob")))
    calling = stage.call(stage.peer("alice"), "bob")
    call = next(calls)
    with pytest.raises(InvalidInput):
        call.decline(say)
    call.accept().hang_up()
    calling.result(DEADLINE_S)


def test_nobody_answers(stage: Stage) -> None:
    bob = stage.peer("bob").wait()
    bob._ring_s = 0.2
    waiting = stage.resources.enter_context(bob)
    calls = iter(waiting)
    calling = stage.call(stage.peer("alice"), "bob")
    call = next(calls)
    with pytest.raises(NoAnswer, match="does not answer"):
        calling.result(DEADLINE_S)
    wait_until(lambda: call.ended, "it has stopped ringing")
    with pytest.raises(NoAnswer, match="you did not answer"):
        call.accept()


def test_a_caller_gives_up_while_it_rings(stage: Stage) -> None:
    calls = iter(stage.wait(stage.peer("bob")))
    mallory = Raw(stage, "mallory")
    mallory.call("bob").hang_up()
    call = next(calls)
    wait_until(lambda: call.ended, "the caller has gone")
    with pytest.raises(Offline, match="the call with mallory ended"):
        call.accept()
    coming = stage.spawn(lambda: next(calls))
    alice = stage.call(stage.peer("alice"), "bob")
    coming.result(DEADLINE_S).accept().hang_up()
    alice.result(DEADLINE_S)


def test_a_second_caller_finds_the_callee_engaged(stage: Stage) -> None:
    stage.talk()
    carol = stage.peer("carol")
    with pytest.raises(Engaged):
        carol.call("bob")
    assert {p.name: p.state for p in carol.who()}["bob"] == "engaged"


def test_a_taken_port_is_replaced_and_said_once(stage: Stage) -> None:
    bob = stage.peer("bob")
    account = bob.account()
    assert account is not None
    with socket.create_server(("", account.port)):
        waiting = stage.wait(bob)
        assert waiting.port != account.port
        assert len(stage.notices["bob"]) == 1
        assert (
            f"port {account.port} is taken; listening on {waiting.port}" in stage.notices["bob"][0]
        )
        calls = iter(waiting)
        alice = stage.peer("alice")
        talk, there, *_ = stage.talk_again(alice, waiting, calls)
        talk.send("here?")
        assert next_of(there, Message).text == "here?"
        there.hang_up()
        broken(talk)
    talk, there, *_ = stage.talk_again(alice, waiting, calls)
    assert waiting.port == account.port
    assert len(stage.notices["bob"]) == 1


def test_a_port_that_another_device_has_published_is_replaced(stage: Stage) -> None:
    bob = stage.peer("bob")
    account = bob.account()
    assert account is not None
    Raw(stage, "mallory").broker.ask(Wait(account.port), Leased)
    waiting = stage.wait(bob)
    assert waiting.port != account.port
    stage.talk_again(stage.peer("alice"), waiting, iter(waiting))


def test_waiting_twice_at_once_is_refused(stage: Stage) -> None:
    bob = stage.peer("bob")
    stage.wait(bob)
    with pytest.raises(LandlineError, match="cannot wait for calls"), bob.wait():
        pass


def test_waiting_that_was_never_begun_leaves_nothing(stage: Stage) -> None:
    stage.peer("bob").wait()


def test_closing_the_peer_ends_the_waiting(stage: Stage) -> None:
    bob = stage.peer("bob")
    with pytest.raises(ConversationBroken, match="the program is ending"), bob.wait() as waiting:  # noqa: PT012
        coming = stage.spawn(lambda: next(iter(waiting)))
        bob.close()
        coming.result(DEADLINE_S)


def test_who_stops_waiting_while_it_rings_declines(stage: Stage) -> None:
    bob = stage.peer("bob")
    with bob.wait() as waiting:
        calling = stage.call(stage.peer("alice"), "bob", once=True)
        next(iter(waiting))
    with pytest.raises(Declined, match="bob declined the call"):
        calling.result(DEADLINE_S)


def test_closing_the_peer_while_it_rings(stage: Stage) -> None:
    bob = stage.peer("bob")
    with bob.wait() as waiting:
        wire = Raw(stage, "mallory").call("bob")
        call = next(iter(waiting))
        bob.close()
        with pytest.raises(LandlineError):
            call.accept()
        assert wire.gone()


def test_a_broker_that_goes_away_while_waiting_is_found_again(stage: Stage) -> None:
    waiting = stage.wait(stage.peer("bob"))
    alice = stage.peer("alice")
    stage.stop_broker()
    stage.restart_broker()
    talk, bob, *_ = stage.talk_again(alice, waiting, iter(waiting))
    talk.send("still there")
    assert next_of(bob, Message).text == "still there"


def test_a_broker_that_is_away_between_two_calls_is_said(stage: Stage) -> None:
    waiting = stage.wait(stage.peer("bob"))
    calls = iter(waiting)
    alice = stage.peer("alice")
    talk, bob, *_ = stage.talk_again(alice, waiting, calls)
    stage.stop_broker()
    talk.send("without a broker")
    talk.bye()
    assert [m.text for m in bob.messages()] == ["without a broker"]
    bob.close()
    talk.close()
    coming = stage.spawn(lambda: next(calls))
    wait_until(lambda: stage.notices["bob"], "bob is told", 30)
    assert stage.notices["bob"][0].endswith("still waiting")
    stage.restart_broker()
    wait_until(lambda: len(stage.notices["bob"]) == 2, "the broker is found", 30)
    assert stage.notices["bob"][1] == "the broker is back"
    calling = stage.call(alice, "bob")
    coming.result(DEADLINE_S).accept().hang_up()
    calling.result(DEADLINE_S)


def test_the_first_publication_needs_a_broker(stage: Stage) -> None:
    bob = stage.peer("bob")
    waiting = bob.wait()
    stage.stop_broker()
    with pytest.raises(LandlineError) as caught, waiting:
        pass
    assert caught.value.exit_status == 5
    assert isinstance(bob, Peer)
