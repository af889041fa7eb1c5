"""Frames that come on a link and belong to another one of the same conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq

from landline.events import Message, Reconnected, Reconnecting
from landline_protocol.frames import Accept, Ack, Batch, Hello, Text, Welcome
from landline_protocol.limits import WINDOW
from tests.peer.raw import Raw, batch, welcome
from tests.peer.stage import DEADLINE_S, next_of
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.peer.stage import Stage

AGAIN_MS = 300


def test_a_hello_on_an_open_link_begins_another(stage: Stage) -> None:
    """The callee's socket can have taken the caller's next connection by itself."""
    waiting = stage.wait(stage.peer("bob"))
    mallory = Raw(stage, "mallory")
    claimed, hello = mallory.claim("bob"), mallory.hello("bob")
    wire = mallory.dial(claimed)
    wire.send(hello)
    talk = next(iter(waiting)).accept()
    stage.resources.callback(talk.hang_up)
    wire.expect(Accept)
    wire.send(batch(1, Text(1, "one")))
    wire.send(hello)
    next_of(talk, Message)
    next_of(talk, Reconnecting)
    assert wire.gone()

    def welcomed() -> Welcome | None:
        wire = mallory.dial(claimed)
        wire.socket.rcvtimeo = AGAIN_MS
        wire.send(hello)
        try:
            answer = wire.receive()
        except zmq.Again:
            wire.close()
            return None
        assert isinstance(answer, Welcome)
        return answer

    # The callee needs a moment to listen anew.
    answer = wait_until(welcomed, "the callee listens")
    assert answer is not None
    assert answer.resume == 2
    next_of(talk, Reconnected)


def test_a_word_of_an_earlier_link_is_no_answer_to_a_hello(stage: Stage) -> None:
    """The callee can have sent it before it knew of the next connection."""
    mallory = Raw(stage, "mallory")
    wire = mallory.wait()
    calling = stage.call(stage.peer("alice"), "mallory", once=True)
    hello = wire.receive()
    assert isinstance(hello, Hello)
    wire.send(welcome(hello))
    wire.send(Accept())
    talk = calling.result(DEADLINE_S)
    talk.send("one")
    wire.expect(Batch)
    wire.close()
    next_of(talk, Reconnecting)
    for stray in (batch(1, Text(1, "lost")), Ack(1, WINDOW)):
        wire = mallory.wait_again()
        assert isinstance(wire.receive(), Hello)
        wire.send(stray)
        assert wire.gone()
        wire.close()
    wire = mallory.wait_again()
    assert isinstance(wire.receive(), Hello)
    wire.send(welcome(hello))
    wire.send(Accept())
    [item] = wire.expect(Batch).items
    assert item.text == "one"
    next_of(talk, Reconnected)
