"""Between peer and broker, and between peers, a listener on the line learns no word.

Proxies of the tests' own are the line, so these tests need no privilege. The control
sends the same words over a plain ZeroMQ pair through the same proxy, and finds them.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import zmq

from landline import Peer
from landline.client import BrokerClient
from landline.device import device_key
from landline_protocol.invite import Invite
from landline_protocol.messages import Leased, Wait
from tests.support.proxy import Proxy, Way
from tests.wire.words import CALLEE, CALLER, MESSAGES, PASSWORD, SECRETS, seen_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from landline import Conversation
    from tests.support.children import Children

CURVE_GREETING = b"CURVE".ljust(20, b"\0")
"""ZMTP 3.1 names the mechanism in the greeting, before anything is encrypted."""


@pytest.fixture
def broker(children: Children, tmp_path: Path) -> Invite:
    """The invite of a broker on this machine."""
    options = ("--data-dir", tmp_path / "broker", "--bcrypt-cost", "4")
    serving = children.start("landline-broker", "serve", "--listen", "tcp://127.0.0.1:0", *options)
    return Invite.parse(serving.expect_line(r"^ready (\S+)$")[1])


@pytest.fixture
def broker_line(broker: Invite) -> Iterator[Proxy]:
    """The line between the peers and the broker."""
    with Proxy((broker.host, broker.port)) as proxy:
        yield proxy


@pytest.fixture
def peer_line() -> Iterator[Proxy]:
    """The line between the two peers; the callee has to be made its target."""
    with Proxy() as proxy:
        yield proxy


def test_neither_line_carries_a_word_a_password_or_a_name(
    broker: Invite, broker_line: Proxy, peer_line: Proxy, tmp_path: Path
) -> None:
    invite = replace(broker, port=broker_line.port)
    with (
        Peer(tmp_path / "caller", invite) as caller,
        Peer(tmp_path / "callee", invite) as callee,
        ThreadPoolExecutor() as threads,
    ):
        caller.register(CALLER, PASSWORD)
        caller.login(CALLER, PASSWORD)
        callee.register(CALLEE, PASSWORD)
        callee.login(CALLEE, PASSWORD)
        with callee.wait() as waiting:
            peer_line.target = ("127.0.0.1", waiting.port)
            publish(callee, peer_line.port)
            assert (CALLEE, "waiting") in {(user.name, user.state) for user in caller.who()}
            calling = threads.submit(caller.call, CALLEE)
            accepted = next(iter(waiting)).accept()
            with calling.result() as here, accepted as there:
                talk_both_ways(here, there)

    for line in (broker_line, peer_line):
        assert all(CURVE_GREETING in line.octets(way) for way in Way)
    said = sum(len(text.encode()) for text in MESSAGES)
    assert all(len(peer_line.octets(way)) > said for way in Way)
    for capture in (broker_line.octets(way) + peer_line.octets(way) for way in Way):
        assert seen_in(capture) == {}


def test_the_same_words_on_a_plain_pair_are_found(peer_line: Proxy) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with context, context.socket(zmq.PAIR) as there, context.socket(zmq.PAIR) as here:
        there.rcvtimeo = 5_000
        peer_line.target = ("127.0.0.1", there.bind_to_random_port("tcp://127.0.0.1"))
        here.connect(f"tcp://127.0.0.1:{peer_line.port}")
        for secret in SECRETS:
            here.send_string(secret)
            assert there.recv_string() == secret
    seen = seen_in(peer_line.octets(Way.THERE))
    assert seen == {secret: ["utf-8"] for secret in SECRETS}


def publish(peer: Peer, port: int) -> None:
    """Tell the broker that callers find this peer at `port`, as if it listened there."""
    with zmq.Context() as context:
        client = BrokerClient(context, peer.broker, device_key(peer.home))
        with contextlib.closing(client):
            assert client.ask(Wait(port), Leased).port == port


def talk_both_ways(here: Conversation, there: Conversation) -> None:
    """Say every message in both directions, then bye, and hear all of it."""
    for one, other in ((here, there), (there, here)):
        for text in MESSAGES:
            one.send(text)
        one.bye()
        assert tuple(message.text for message in other.messages()) == MESSAGES
