"""A callee that breaks the protocol: the caller ends with the right error."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import zmq

from landline.ends import Dial, Engagements, Guest
from landline.errors import ConversationBroken, Declined, LandlineError, NoAnswer, Offline, Refused
from landline.journal import Journal
from landline.letters import Over, Parties
from landline.line import Line
from landline_protocol.frames import Accept, Ack, Decline, Fail, Hello, Refuse, Text, encode
from landline_protocol.limits import WINDOW
from landline_protocol.link import Role
from tests.peer.raw import Raw, Wire, batch, fresh_key, welcome
from tests.peer.stage import DEADLINE_S, broken

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.peer.stage import Stage

ONE = Text(1, "one")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (lambda h: [b"garbage"], Offline, "broke the protocol"),
        (lambda h: [b""], Offline, "broke the protocol"),
        (lambda h: [encode(Accept())], Offline, "broke the protocol"),
        (lambda h: [encode(welcome(h, version=2))], Offline, "welcome does not fit"),
        (lambda h: [encode(welcome(h, conversation=os.urandom(16)))], Offline, "does not fit"),
        (lambda h: [encode(welcome(h, resume=2))], Offline, "broke the protocol"),
        (lambda h: [encode(welcome(h)), encode(welcome(h))], Offline, "broke the protocol"),
        (lambda h: [encode(welcome(h)), batch(1, ONE)], Offline, "broke the protocol"),
        (lambda h: [encode(Refuse("version", "old \x1b"))], Refused, "old \N{SYMBOL FOR ESCAPE}"),
        (lambda h: [encode(welcome(h)), encode(Decline("declined", ""))], Declined, "declined"),
        (lambda h: [encode(welcome(h)), encode(Decline("no-answer", ""))], NoAnswer, "answer"),
        (lambda h: [encode(welcome(h)), encode(Decline("storage", "x"))], Declined, "x"),
        (lambda h: [encode(welcome(h)), encode(Fail("storage", "full"))], Offline, "full"),
    ],
)
def test_an_answer_that_is_none_ends_the_call(
    stage: Stage,
    answer: Callable[[Hello], list[bytes]],
    kind: type[LandlineError],
    words: str,
) -> None:
    mallory = Raw(stage, "mallory")
    wire = mallory.wait()
    calling = stage.call(stage.peer("alice"), "mallory", once=True)
    hello = wire.receive()
    assert isinstance(hello, Hello)
    for frame in answer(hello):
        wire.send(frame)
    with pytest.raises(LandlineError, match=words) as caught:
        alice_fails(calling)
    assert type(caught.value) is kind


def alice_fails(calling: Any) -> None:
    calling.result(DEADLINE_S)


def opened(stage: Stage) -> tuple[Any, Any]:
    """Let alice call mallory, who accepts."""
    wire = Raw(stage, "mallory").wait()
    calling = stage.call(stage.peer("alice"), "mallory", once=True)
    hello = wire.receive()
    assert isinstance(hello, Hello)
    wire.send(welcome(hello))
    wire.send(Accept())
    return wire, calling.result(DEADLINE_S)


@pytest.mark.parametrize(
    "frames",
    [
        [b"garbage"],
        [batch(5, ONE)],
        [encode(Ack(9, WINDOW))],
        [encode(Accept())],
        [batch(1, ONE), b"\x06"],
    ],
)
def test_a_breach_in_a_conversation_ends_it(stage: Stage, frames: list[bytes]) -> None:
    wire, talk = opened(stage)
    for frame in frames:
        wire.send(frame)
    assert isinstance(wire.expect(Fail), Fail)
    error = broken(talk)
    assert isinstance(error, ConversationBroken)
    assert "broke the protocol" in str(error)


def test_a_callee_that_goes_mid_way_leaves_what_is_not_confirmed(stage: Stage) -> None:
    wire, talk = opened(stage)
    for _ in range(10):
        talk.send("hello")
    wire.receive()
    wire.send(Ack(1, WINDOW))
    wire.hang_up()
    error = broken(talk)
    assert isinstance(error, ConversationBroken)
    assert error.unconfirmed == 9


def test_a_refusal_reaches_the_caller_though_the_callee_goes_at_once(stage: Stage) -> None:
    for n in range(10):
        mallory = Raw(stage, "mallory")
        wire = mallory.wait()
        calling = stage.call(stage.peer("alice" if n == 0 else f"alice{n}"), "mallory")
        hello = wire.receive()
        assert isinstance(hello, Hello)
        wire.send(Refuse("version", "no"))
        wire.hang_up()
        with pytest.raises(Refused):
            alice_fails(calling)


def test_a_callee_that_never_welcomes(stage: Stage, line: Callable[..., Line]) -> None:
    mallory = Raw(stage, "mallory")
    wire = mallory.wait()
    with pytest.raises(Offline, match="cannot be reached"):
        _until_over(line(Dial("alice", _mallory(mallory, wire), dial_s=0.3)))


def test_a_callee_that_rings_for_ever(stage: Stage, line: Callable[..., Line]) -> None:
    """The caller rings a little longer than the callee should, then says no-answer."""
    mallory = Raw(stage, "mallory")
    wire = mallory.wait()
    calling = line(Dial("alice", _mallory(mallory, wire), ring_s=0.2, grace_s=0.1))
    hello = wire.receive()
    assert isinstance(hello, Hello)
    wire.send(welcome(hello))
    fail = wire.receive()
    assert isinstance(fail, Fail)
    assert fail.code == "no-answer"
    with pytest.raises(NoAnswer):
        _until_over(calling)


@pytest.fixture
def line(stage: Stage, tmp_path: Path) -> Callable[..., Line]:
    """Make a line below the peer, whose timers a test can choose."""
    context: zmq.Context[zmq.Socket[bytes]] = stage.resources.enter_context(zmq.Context())

    def make(end: Dial) -> Line:
        made = Line(context, fresh_key(), end, Journal(tmp_path / "journal"), Engagements())
        stage.resources.callback(made.stop)
        return made

    return make


def _mallory(mallory: Raw, wire: Wire) -> Guest:
    """Return what a caller knows of mallory, who waits."""
    port = int(wire.socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
    conversation = os.urandom(16)
    parties = Parties(conversation, "mallory", mallory.key.public, Role.CALLER, "127.0.0.1", port)
    return Guest.new(parties)


def _until_over(line: Line) -> None:
    while not isinstance(notice := line.next(DEADLINE_S), Over):
        assert notice is not None
    assert notice.error is not None
    raise notice.error


def test_nobody_listens_where_the_broker_says(stage: Stage) -> None:
    wire = Raw(stage, "mallory").wait()
    wire.close()
    with pytest.raises(Offline, match=r"cannot be reached at 127\.0\.0\.1"):
        stage.peer("alice").call("mallory")
