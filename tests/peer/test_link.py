"""One link: what its monitor tells of the connection, and which frames it lets through."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import zmq

from landline.ends import Address, Dial, Guest
from landline.letters import Parties
from landline.link import Garbled, Happening, Link
from landline_protocol.frames import Hello, decode, encode
from landline_protocol.limits import WINDOW
from landline_protocol.link import LinkState, Role
from tests.peer.raw import Wire, fresh_key, welcome
from tests.support.ports import free_port
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = fresh_key()
CONVERSATION = b"\1" * 16


def dial(port: int) -> Dial:
    parties = Parties(CONVERSATION, "bob", KEY.public, Role.CALLER, "127.0.0.1", port)
    return Dial("alice", Guest.new(parties))


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    with zmq.Context() as context:
        yield context


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as sockets:
        yield sockets


@pytest.fixture
def callee(context: zmq.Context[zmq.Socket[bytes]], sockets: ExitStack) -> Wire:
    """A PAIR at a port, which lets in whoever knows its key."""
    socket = context.socket(zmq.PAIR)
    socket.curve_server = True
    socket.curve_secretkey = KEY.secret
    wire = Wire(socket)
    sockets.callback(wire.close)
    socket.bind_to_random_port("tcp://127.0.0.1")
    return wire


def port_of(wire: Wire) -> int:
    return int(wire.socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])


def next_happening(link: Link) -> Happening:
    happened = wait_until(lambda: list(link.happenings()), "something happens")
    return happened[0]


def connected(
    context: zmq.Context[zmq.Socket[bytes]], sockets: ExitStack, callee: Wire
) -> tuple[Link, Dial]:
    port = port_of(callee)
    end = dial(port)
    link = Link(context, fresh_key(), end, sockets)
    assert link.connect(Address("127.0.0.1", port), KEY.public)
    assert next_happening(link) is Happening.CONNECTED
    assert link.there == f"127.0.0.1:{port}"
    return link, end


def test_frames_go_there_and_back_until_the_other_goes(
    context: zmq.Context[zmq.Socket[bytes]], sockets: ExitStack, callee: Wire
) -> None:
    link, end = connected(context, sockets, callee)
    assert link.receive() is None
    link.send(end.hello(end.guest.parties, 1, WINDOW))
    hello = callee.expect(Hello)
    assert (hello.caller, hello.callee) == ("alice", "bob")
    callee.send(welcome(hello))
    assert link.socket.poll(5_000)
    assert link.receive() == welcome(hello)
    assert link.state is LinkState.RINGING
    assert not link.stuck
    callee.close()
    assert next_happening(link) is Happening.LOST


def test_what_has_two_parts_is_no_frame_of_this_link(
    context: zmq.Context[zmq.Socket[bytes]], sockets: ExitStack, callee: Wire
) -> None:
    link, end = connected(context, sockets, callee)
    octets = encode(end.hello(end.guest.parties, 1, WINDOW))
    link.send(decode(octets))  # type: ignore[arg-type]  # it is a hello
    callee.send(octets, octets)
    assert link.socket.poll(5_000)
    with pytest.raises(Garbled):
        link.receive()


def test_where_nobody_listens_nobody_is_reached(
    context: zmq.Context[zmq.Socket[bytes]], sockets: ExitStack
) -> None:
    port = free_port()
    link = Link(context, fresh_key(), dial(port), sockets)
    assert link.connect(Address("127.0.0.1", port), KEY.public)
    assert next_happening(link) is Happening.UNREACHABLE


def test_an_address_that_is_none_is_told_at_once(
    context: zmq.Context[zmq.Socket[bytes]], sockets: ExitStack
) -> None:
    link = Link(context, fresh_key(), dial(1), sockets)
    assert not link.connect(Address("no address at all", 1), KEY.public)
