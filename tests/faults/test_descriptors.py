"""A process that has no descriptor left: what is under way goes on, and the rest waits."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from landline.client import BrokerClient
from landline.device import device_key
from landline.events import Delivered, Reconnecting
from landline_protocol.limits import REDIAL_S
from landline_protocol.messages import Leased, Wait
from tests.faults.crowded_bob import LIMIT
from tests.peer.stage import DEADLINE_S, next_of
from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from tests.peer.stage import Stage
    from tests.support.children import Child, Children

BOB = Path(__file__).with_name("crowded_bob.py")


def bob_waits(stage: Stage, children: Children) -> Child:
    stage.peer("bob").close()
    return children.start_program([sys.executable, str(BOB), str(stage.home("bob"))])


def test_no_descriptor_left_ends_neither_the_conversation_nor_the_waiting(
    stage: Stage, children: Children
) -> None:
    bob = bob_waits(stage, children)
    bob.expect_line(f"limit {LIMIT} ")
    alice = stage.peer("alice")
    talk = stage.call(alice, "bob").result(DEADLINE_S)
    bob.send_line("hog")
    bob.expect_line("hogged")
    talk.send("one")
    bob.expect_line("heard one")
    assert next_of(talk, Delivered).upto == 1
    talk.hang_up()
    bob.expect_line("broken")
    bob.expect_line("too many files are open")
    bob.send_line("free")
    talk = stage.call(alice, "bob").result(DEADLINE_S)
    talk.send("two")
    bob.expect_line("heard two")
    assert sum("too many" in line for line in bob.stdout_lines) == 1
    bob.kill()


def test_a_cut_while_no_descriptor_is_left_is_survived(stage: Stage, children: Children) -> None:
    """What the link gives back is taken by somebody else before there can be another."""
    bob = bob_waits(stage, children)
    port = int(bob.expect_line(r"port (\d+)")[1])
    stage.redial_s = REDIAL_S
    alice = stage.peer("alice")
    with Proxy(("127.0.0.1", port)) as proxy:
        publish(stage, proxy.port)
        talk = stage.call(alice, "bob").result(DEADLINE_S)
        talk.send("one")
        bob.expect_line("heard one")
        bob.send_line("hog")
        bob.expect_line("hogged")
        proxy.cut()
        next_of(talk, Reconnecting)
        talk.send("two")
        bob.send_line("free")
        bob.expect_line("heard two")
        talk.hang_up()
        bob.expect_line("broken")
    bob.kill()


def publish(stage: Stage, port: int) -> None:
    """Let the broker send bob's next caller to another port, as his device may."""
    key = device_key(stage.peers["bob"].home)
    with zmq.Context() as context, closing(BrokerClient(context, stage.invite, key)) as client:
        client.ask(Wait(port), Leased)


def test_strangers_who_take_all_descriptors_end_neither(stage: Stage, children: Children) -> None:
    """They connect to bob's port, and say nothing."""
    bob = bob_waits(stage, children)
    where = ("127.0.0.1", int(bob.expect_line(r"port (\d+)")[1]))
    alice = stage.peer("alice")
    talk = stage.call(alice, "bob").result(DEADLINE_S)
    with ExitStack() as strangers:
        for _ in range(LIMIT + 50):
            with suppress(OSError):
                strangers.enter_context(socket.create_connection(where))
        talk.send("one")
        bob.expect_line("heard one")
        assert next_of(talk, Delivered).upto == 1
        talk.hang_up()
        bob.expect_line("broken")
        talk = stage.call(alice, "bob").result(DEADLINE_S)
        talk.send("two")
        bob.expect_line("heard two")
    bob.kill()
