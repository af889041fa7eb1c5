"""The front door: register, log in, ask, call, read what was said."""

from __future__ import annotations

import pytest
import zmq

import landline
from landline import Peer
from landline.errors import (
    Denied,
    HomeInUse,
    InvalidInput,
    NameTaken,
    NotLoggedIn,
    Offline,
    UnknownUser,
)
from landline.events import Connected, EndpointReceived, Message, Ringing
from landline_protocol.invite import Invite
from landline_protocol.messages import Presence
from tests.peer.stage import DEADLINE_S, PASSWORD, Stage, next_of


def test_a_user_registers_once_and_logs_in_and_out(stage: Stage) -> None:
    alice = stage.stranger("alice")
    account = alice.register("Alice", PASSWORD)
    assert account.name == "alice"
    with pytest.raises(NameTaken):
        stage.stranger("other").register("alice", PASSWORD)
    assert alice.account() is None
    assert alice.login("alice", PASSWORD) == account
    assert alice.account() == account
    alice.logout()
    assert alice.account() is None
    with pytest.raises(NotLoggedIn):
        alice.who()


def test_a_wrong_password_is_denied(stage: Stage) -> None:
    stage.register("alice")
    with pytest.raises(Denied):
        stage.stranger("alice").login("alice", "wrong horse battery")


@pytest.mark.parametrize("password", ["short", "half \ud800 a pair", "x" * 300])
def test_a_password_that_is_none_is_refused_before_it_is_sent(stage: Stage, password: str) -> None:
    alice = stage.stranger("alice")
    for attempt in (alice.register, alice.login):
        with pytest.raises(InvalidInput):
            attempt("alice", password)


@pytest.mark.parametrize("name", ["", "a", "al ice", "älice", "a" * 33])
def test_a_name_that_is_none_is_refused_everywhere(stage: Stage, name: str) -> None:
    alice = stage.stranger("alice")
    for attempt in (
        lambda: alice.register(name, PASSWORD),
        lambda: alice.login(name, PASSWORD),
        lambda: alice.who(name),
        lambda: alice.call(name),
        lambda: list(alice.history(name)),
    ):
        with pytest.raises(InvalidInput):
            attempt()


def test_who_names_everybody_page_by_page(stage: Stage) -> None:
    alice = stage.peer("alice")
    stage.wait(stage.peer("bob"))
    assert alice.who() == [Presence("alice", "offline"), Presence("bob", "waiting")]
    assert alice.who("bob") == [Presence("bob", "waiting")]
    with pytest.raises(UnknownUser):
        alice.who("carol")


def test_a_call_tells_what_happens_on_the_way(stage: Stage) -> None:
    waiting = stage.wait(stage.peer("bob"))
    alice = stage.peer("alice")
    steps: list[object] = []
    coming = stage.spawn(lambda: next(iter(waiting)).accept())
    with alice.call("bob", steps.append) as talk:
        bob = coming.result(DEADLINE_S)
        bob.send("hi")
        assert next_of(talk, Message).text == "hi"
        bob.bye()
    received, connected, ringing = steps
    assert received == EndpointReceived("bob", "127.0.0.1", waiting.port)
    assert isinstance(connected, Connected)
    assert connected.there == f"127.0.0.1:{waiting.port}"
    assert ringing == Ringing("bob")
    bob.close()


@pytest.mark.parametrize("step", [EndpointReceived, Connected, Ringing])
def test_an_error_on_the_way_ends_the_call(stage: Stage, step: type) -> None:
    waiting = stage.wait(stage.peer("bob"))
    coming = stage.spawn(lambda: next(iter(waiting)))

    def stop_at(progress: object) -> None:
        if isinstance(progress, step):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.peer("alice").call("bob", stop_at)
    stage.peers["bob"].close()
    assert coming.exception(DEADLINE_S) is not None or coming.result().ended


def test_nobody_is_called_who_is_not_there(stage: Stage) -> None:
    alice = stage.peer("alice")
    stage.register("bob")
    with pytest.raises(Offline):
        alice.call("bob")
    with pytest.raises(UnknownUser):
        alice.call("nobody")
    with pytest.raises(InvalidInput):
        alice.call("alice")
    with pytest.raises(NotLoggedIn):
        stage.stranger("carol").call("alice")
    with pytest.raises(NotLoggedIn):
        stage.stranger("dave").wait()


def test_the_broker_is_remembered(stage: Stage) -> None:
    stage.peer("alice").close()
    with Peer(stage.home("alice")) as again:
        assert again.broker == stage.invite
        account = again.account()
        assert account is not None
        assert account.name == "alice"


def test_no_broker_is_known(stage: Stage) -> None:
    with Peer(stage.home("new")) as peer, pytest.raises(InvalidInput, match="no broker is known"):
        peer.account()


def test_an_invite_is_checked(stage: Stage) -> None:
    with pytest.raises(InvalidInput, match="this is no invite"):
        Peer(stage.home("new"), "http://example.org")
    invite = Invite("127.0.0.1", 1, b"\1" * 32)
    with Peer(stage.home("new"), invite) as peer:
        assert peer.broker is invite


def test_one_peer_at_a_time_talks_from_a_home(stage: Stage) -> None:
    alice = stage.peer("alice")
    with pytest.raises(HomeInUse), Peer(stage.home("alice"), str(stage.invite)) as other:
        other.logout()
    alice.close()
    alice.close()
    with Peer(stage.home("alice"), str(stage.invite)) as other:
        other.logout()


def test_a_peer_that_is_closed_asks_nothing(stage: Stage) -> None:
    alice = stage.peer("alice")
    alice.close()
    with pytest.raises(zmq.ZMQError):
        alice.account()


def test_public_names_are_loaded_when_they_are_used() -> None:
    for name in landline.__all__:
        assert getattr(landline, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        landline.Nothing  # noqa: B018 - reading it is the test
