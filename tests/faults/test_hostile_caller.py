"""A vetted caller that breaks the protocol: a clear end, and the next caller gets through."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from msgspec import structs

from landline.device import device_key
from landline.errors import ConversationBroken, LandlineError, RecordsDiffer
from landline.events import Message
from landline.link import FLOOD
from landline_protocol.conversation import fresh_digest
from landline_protocol.frames import (
    Accept,
    Ack,
    Bye,
    Chunk,
    Decline,
    End,
    Fail,
    Refuse,
    Text,
    Welcome,
    encode,
    encode_batch,
    encode_item,
)
from landline_protocol.limits import HELLO_DEADLINE_S, LINK_FRAME_MAX, WINDOW, WINDOW_MIN
from landline_protocol.link import Role
from tests.faults.endless import endless
from tests.peer.raw import Raw, batch, fresh_key
from tests.peer.stage import DEADLINE_S, broken, next_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from landline.waiting import IncomingCall, Waiting
    from tests.peer.stage import Stage

ALICE, BOB = Role.CALLER, Role.CALLEE
DIGEST = b"\0" * 32


@pytest.fixture
def waiting(stage: Stage) -> Waiting:
    """Bob waits for calls."""
    return stage.wait(stage.peer("bob"))


@pytest.fixture
def calls(waiting: Waiting) -> Iterator[IncomingCall]:
    return iter(waiting)


def a_call_gets_through(stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]) -> None:
    """Carol calls bob, they say hello, and all ends well."""
    carol, bob, *_ = stage.talk_again(stage.peer("carol"), waiting, calls)
    carol.send("hello")
    carol.bye()
    assert [m.text for m in bob.messages()] == ["hello"]
    bob.close()
    carol.close()


def not_welcomed(stage: Stage, calls: Iterator[IncomingCall]) -> Any:
    """Let bob wait for the next call, which will be carol's."""
    return stage.spawn(lambda: next(calls))


def test_a_first_message_of_two_parts_ends_the_link(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    mallory = Raw(stage, "mallory")
    waits = not_welcomed(stage, calls)
    wire = mallory.dial(mallory.claim("bob"))
    wire.send(b"\x01", b"\x02")
    assert wire.gone()
    carol = stage.call(stage.peer("carol"), "bob")
    waits.result(DEADLINE_S).accept().hang_up()
    carol.result(DEADLINE_S)


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ([b"garbage"], "malformed"),
        ([b""], "malformed"),
        ([encode(Accept())], "unexpected"),
        ([batch(1, Text(1, "early"))], "unexpected"),
        ([encode(Ack(0, WINDOW))], "unexpected"),
    ],
)
def test_a_first_frame_that_is_no_hello_is_refused(
    stage: Stage,
    waiting: Waiting,
    calls: Iterator[IncomingCall],
    first: list[bytes],
    code: str,
) -> None:
    mallory = Raw(stage, "mallory")
    waits = not_welcomed(stage, calls)
    wire = mallory.dial(mallory.claim("bob"))
    wire.send(*first)
    refusal = wire.receive()
    assert isinstance(refusal, Refuse)
    assert refusal.code == code
    assert wire.gone()
    carol = stage.call(stage.peer("carol"), "bob")
    waits.result(DEADLINE_S).accept().hang_up()
    carol.result(DEADLINE_S)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"versions": (2, 3)}, "version"),
        ({"versions": (3, 1)}, "version"),
        ({"caller": "alice"}, "wrong-name"),
        ({"callee": "carol"}, "wrong-name"),
        ({"resume": 2}, "unknown-conversation"),
    ],
)
def test_a_hello_that_does_not_fit_is_refused(
    stage: Stage,
    waiting: Waiting,
    calls: Iterator[IncomingCall],
    changed: dict[str, Any],
    code: str,
) -> None:
    mallory = Raw(stage, "mallory")
    waits = not_welcomed(stage, calls)
    wire = mallory.dial(mallory.claim("bob"))
    wire.send(mallory.hello("bob", **changed))
    refusal = wire.receive()
    assert isinstance(refusal, Refuse)
    assert refusal.code == code
    assert refusal.say
    carol = stage.call(stage.peer("carol"), "bob")
    waits.result(DEADLINE_S).accept().hang_up()
    carol.result(DEADLINE_S)


def test_a_conversation_that_is_known_is_not_begun_again(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    mallory = Raw(stage, "mallory")
    hello = mallory.hello("bob")
    wire = mallory.dial(mallory.claim("bob"))
    wire.send(hello)
    talk = next(calls).accept()
    wire.expect(Accept)
    wire.send(batch(1, Text(1, "once")))
    assert next_of(talk, Message).text == "once"
    wire.hang_up()
    broken(talk)
    waits = stage.spawn(lambda: next(calls))
    again = mallory.dial(mallory.claim("bob"))
    again.send(hello)
    refusal = again.receive()
    assert isinstance(refusal, Refuse)
    assert refusal.code == "unknown-conversation"
    carol = stage.call(stage.peer("carol"), "bob")
    waits.result(DEADLINE_S).accept().hang_up()
    carol.result(DEADLINE_S)


def test_a_caller_that_says_nothing_and_goes_is_forgotten(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    mallory = Raw(stage, "mallory")
    waits = not_welcomed(stage, calls)
    wire = mallory.dial(mallory.claim("bob"))
    # HELLO_DEADLINE_S later bob listens anew.
    assert wire.gone()
    carol = stage.call(stage.peer("carol"), "bob")
    waits.result(DEADLINE_S).accept().hang_up()
    carol.result(DEADLINE_S)


@pytest.mark.parametrize(
    "frame",
    [b"garbage", encode(Accept()), batch(1, Text(1, "early")), encode(Ack(0, 0)), b"\xff" * 9],
)
def test_a_breach_while_it_rings_ends_the_call(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall], frame: bytes
) -> None:
    wire = Raw(stage, "mallory").call("bob")
    call = next(calls)
    assert call.caller == "mallory"
    wire.send(frame)
    assert isinstance(wire.receive(), Fail)
    assert wire.gone()
    with pytest.raises(LandlineError, match="broke the protocol") as caught:
        call.accept()
    assert caught.value.exit_status == 3
    assert call.ended
    a_call_gets_through(stage, waiting, calls)


def bye(conversation: bytes, *texts: Text, **changed: Any) -> Bye:
    """Return the bye of a caller that said these texts."""
    said = fresh_digest(conversation, ALICE)
    for text in texts:
        said.update(encode_item(text))
    usual = {
        "at": 1,
        "said": said.digest(),
        "heard_number": 0,
        "heard": fresh_digest(conversation, BOB).digest(),
    }
    return Bye(**{**usual, **changed})


ONE = Text(1, "one")
BIG = Text(1, "x" * 65_000)
LONG = Text(1, "x" * 65_537)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (lambda c: [b"garbage"], "malformed"),
        (lambda c: [encode(Accept())], "unexpected"),
        (lambda c: [batch(2, ONE)], "out-of-order"),
        (lambda c: [batch(1, ONE), batch(3, ONE)], "out-of-order"),
        (lambda c: [batch(1, ONE, bye(c, ONE), ONE)], "out-of-order"),
        (lambda c: [batch(1, bye(c)), batch(2, ONE)], "out-of-order"),
        (lambda c: [encode(Ack(1, WINDOW))], "out-of-order"),
        (lambda c: [encode(Ack(1, 0)), encode(Ack(0, WINDOW))], "out-of-order"),
        (lambda c: [batch(n, BIG) for n in range(1, 40)], "overrun"),
        (lambda c: [batch(1, ONE, bye(c))], "disagreement"),
        (lambda c: [batch(1, bye(c, heard_number=7))], "disagreement"),
        (lambda c: [batch(1, bye(c, heard=DIGEST))], "disagreement"),
        (lambda c: [batch(1, bye(c, said=DIGEST))], "disagreement"),
        (lambda c: [encode_batch(Chunk(1, 1, encode_item(LONG)))], "too-large"),
    ],
)
def test_a_breach_in_a_conversation_ends_it(
    stage: Stage,
    waiting: Waiting,
    calls: Iterator[IncomingCall],
    frames: Any,
    code: str,
) -> None:
    mallory = Raw(stage, "mallory")
    hello = mallory.hello("bob")
    wire = mallory.dial(mallory.claim("bob"))
    wire.send(hello)
    talk = next(calls).accept()
    wire.expect(Accept)
    for frame in frames(hello.conversation):
        wire.send(frame)
    fail = wire.expect(Fail)
    assert fail.code == code
    assert wire.gone()
    error = broken(talk)
    if code == "disagreement":
        assert isinstance(error, RecordsDiffer)
    else:
        assert isinstance(error, ConversationBroken)
        assert "broke the protocol" in str(error)
    a_call_gets_through(stage, waiting, calls)


def test_what_was_sent_before_the_end_arrives_before_the_reason(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    wire = Raw(stage, "mallory").call("bob")
    talk = next(calls).accept()
    wire.expect(Accept)
    for _ in range(14):
        talk.send("x" * 60_000)
    wire.receive()
    wire.send(b"garbage")
    assert wire.expect(Fail).code == "malformed"
    broken(talk)


def test_a_breach_and_a_disconnection_at_once_do_not_hang(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    """The sender finds the breach when the receiver has already gone."""
    mallory = Raw(stage, "mallory")
    for _ in range(10):
        coming = stage.spawn(lambda: next(calls))
        wire = mallory.call("bob")
        talk = coming.result(DEADLINE_S).accept()
        wire.expect(Accept)
        wire.send(Ack(5, WINDOW))
        wire.hang_up()
        assert isinstance(broken(talk), ConversationBroken)


def test_frames_that_were_heard_before_cost_nothing(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    mallory = Raw(stage, "mallory")
    wire = mallory.call("bob")
    talk = next(calls).accept()
    wire.expect(Accept)
    again = batch(1, ONE)
    for _ in range(500):
        wire.send(again)
    wire.send(batch(1, ONE, Text(2, "two")))
    assert [next_of(talk, Message).text for _ in range(2)] == ["one", "two"]
    # One notice for each batch that said something: nothing piled up.
    assert talk._line._notices.qsize() == 0
    talk.hang_up()


@pytest.mark.parametrize(
    "frame", [batch(1, ONE), encode(Ack(0, WINDOW)), encode(End())], ids=["batch", "ack", "end"]
)
def test_a_flood_of_what_says_nothing_new_ends_the_link(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall], frame: bytes
) -> None:
    mallory = Raw(stage, "mallory")
    wire = mallory.call("bob")
    talk = next(calls).accept()
    wire.expect(Accept)
    wire.send(batch(1, ONE))
    assert next_of(talk, Message).text == "one"
    talk.send("not acknowledged")
    flooding = 0
    while flooding < 50_000 and wire.socket.poll(1_000, zmq.POLLOUT):
        flooding += 1
        wire.socket.send(frame, zmq.NOBLOCK)
    error = broken(talk)
    assert isinstance(error, ConversationBroken)
    assert "a flood of frames" in str(error)
    assert error.unconfirmed == 1


def test_a_window_that_never_opens_lets_nothing_pile_up_on_the_wire(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    mallory = Raw(stage, "mallory")
    wire = mallory.dial(mallory.claim("bob"))
    wire.send(mallory.hello("bob", window=WINDOW_MIN))
    talk = next(calls).accept()
    wire.expect(Accept)
    for _ in range(40):
        talk.send("x" * 60_000)
    octets = 0
    while wire.socket.poll(200):
        octets += len(wire.socket.recv())
    assert 60_000 < octets <= WINDOW_MIN + 100
    talk.hang_up()
    error = broken(talk)
    assert isinstance(error, ConversationBroken)
    assert error.unconfirmed == 40


def test_an_oversized_frame_ends_the_link(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    wire = Raw(stage, "mallory").call("bob")
    talk = next(calls).accept()
    wire.expect(Accept)
    wire.send(b"\x06" + b"x" * 200_000)
    assert wire.gone()
    assert isinstance(broken(talk), ConversationBroken)
    a_call_gets_through(stage, waiting, calls)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what has come")
def test_a_message_without_an_end_is_not_kept_to_the_end_of_the_ringing(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    """Libzmq shows nobody what has come of it, and would keep as much as comes."""
    mallory = Raw(stage, "mallory")
    claimed = mallory.claim("bob")
    with endless(claimed.port) as port:
        wire = mallory.dial(structs.replace(claimed, port=port))
        wire.send(mallory.hello("bob"))
        assert isinstance(wire.receive(), Welcome)
        next(calls)
        with suppress(zmq.Again):
            for _ in range(2 * FLOOD // LINK_FRAME_MAX):
                wire.send(b"\x07" + b"x" * (LINK_FRAME_MAX - 1))
        assert wire.gone()
        wire.close()
    a_call_gets_through(stage, waiting, calls)


def test_a_frame_of_the_largest_size_is_read(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    wire = Raw(stage, "mallory").call("bob")
    talk = next(calls).accept()
    wire.expect(Accept)
    wire.send(b"\x07" + b"\xc1" * (135_168 - 1))
    fail = wire.expect(Fail)
    assert fail.code == "malformed"
    assert isinstance(broken(talk), ConversationBroken)


def test_fail_ends_the_conversation_and_is_shown_harmless(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    wire = Raw(stage, "mallory").call("bob")
    talk = next(calls).accept()
    wire.expect(Accept)
    wire.send(Fail("whatever", "red \x1b[31m alert"))
    error = broken(talk)
    assert "gave up: red \N{SYMBOL FOR ESCAPE}[31m alert" in str(error)
    a_call_gets_through(stage, waiting, calls)


def test_decline_reaches_a_caller_that_does_not_read(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    wire = Raw(stage, "mallory").call("bob")
    next(calls).decline("not now")
    decline = wire.receive()
    assert isinstance(decline, Decline)
    assert (decline.code, decline.say) == ("declined", "not now")
    a_call_gets_through(stage, waiting, calls)


def test_a_second_hello_while_it_rings_belongs_to_another_link(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    """A bound PAIR takes the next connection by itself: it is no breach of this one."""
    mallory = Raw(stage, "mallory")
    wire = mallory.dial(mallory.claim("bob"))
    hello = mallory.hello("bob")
    wire.send(hello)
    wire.expect(Welcome)
    next(calls)
    wire.send(hello)
    assert not wire.answered()
    a_call_gets_through(stage, waiting, calls)


def test_who_dials_again_and_again_has_no_more_time_for_a_hello(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    mallory = Raw(stage, "mallory")
    claimed = mallory.claim("bob")
    first = mallory.dial(claimed)
    begun = time.monotonic()
    while not first.monitor.poll(500) and time.monotonic() - begun < 2 * HELLO_DEADLINE_S:
        mallory.dial(claimed)
    assert time.monotonic() - begun < 2 * HELLO_DEADLINE_S
    a_call_gets_through(stage, waiting, calls)


def test_a_second_connection_of_the_same_caller_goes_nowhere(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    mallory = Raw(stage, "mallory")
    claimed = mallory.claim("bob")
    first, second = mallory.dial(claimed), mallory.dial(claimed)
    first.send(mallory.hello("bob"))
    assert isinstance(first.receive(), Welcome)
    talk = next(calls).accept()
    second.send(mallory.hello("bob"))
    assert not second.socket.poll(100)
    first.expect(Accept)
    first.send(batch(1, ONE))
    assert next_of(talk, Message).text == "one"
    talk.hang_up()


def test_strangers_at_the_port_keep_nobody_out(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    """Silent and half-open connections, garbage, plaintext, wrong keys: carol gets through."""
    mallory = Raw(stage, "mallory")
    where = ("127.0.0.1", waiting.port)
    silent = [socket.create_connection(where) for _ in range(50)]
    for each in silent[:10]:
        each.sendall(b"GET / HTTP/1.1\r\n\r\n" * 20)
    for each in silent[10:20]:
        each.sendall(b"\xff\0\0\0\0\0\0\0\x01\x7f")
    for each in silent[20:25]:
        each.close()
    plain = zmq.Context()
    with plain:
        client = plain.socket(zmq.PAIR)
        client.linger = 0
        client.connect(f"tcp://127.0.0.1:{waiting.port}")
        claimed = type("Claim", (), {})()
        claimed.host, claimed.port = "", waiting.port
        claimed.key = device_key(stage.peer("bob-reads").home).public
        for _ in range(3):
            mallory.dial(claimed, fresh_key())
        a_call_gets_through(stage, waiting, calls)
        client.close()
    for each in silent:
        each.close()


def test_a_link_is_not_lost_when_a_stranger_leaves_in_the_same_moment(
    stage: Stage, waiting: Waiting, calls: Iterator[IncomingCall]
) -> None:
    """A descriptor is used again: a stranger's end must not be taken for the caller's."""
    mallory = Raw(stage, "mallory")
    for _ in range(10):
        coming = stage.spawn(lambda: next(calls))
        claimed = mallory.claim("bob")
        strangers = [socket.create_connection(("127.0.0.1", claimed.port)) for _ in range(5)]
        for each in strangers:
            each.close()
        wire = mallory.dial(claimed)
        wire.send(mallory.hello("bob"))
        talk = coming.result(DEADLINE_S).accept()
        wire.expect(Accept)
        wire.send(batch(1, ONE))
        assert next_of(talk, Message).text == "one"
        talk.hang_up()
