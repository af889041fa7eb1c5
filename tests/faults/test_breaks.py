"""Connections that break while their input is held up do not end the program.

libzmq holds up what nobody takes: what comes for a PAIR that has a peer already, or for
a socket whose reader is slower than who writes. With ZMTP heartbeats it would abort.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import zmq

from landline import Peer
from landline_protocol.codec import encode_request
from landline_protocol.invite import Invite
from landline_protocol.limits import DIAL_S
from landline_protocol.messages import Hello
from tests.peer.raw import Accept, Raw, fresh_key
from tests.peer.stage import PASSWORD
from tests.support.waiting import Deadline, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peer.stage import Stage
    from tests.support.children import Children

FLOODERS = 8
HELD_MS = 1_300
"""Longer than a heartbeat."""


def test_of_two_connections_of_one_caller_the_second_may_break(
    stage: Stage, children: Children
) -> None:
    stage.peer("bob").close()
    settings = {"LANDLINE_HOME": str(stage.home("bob")), "LANDLINE_BROKER": str(stage.invite)}
    bob = children.start("landline", "wait", "--accept", "--json", env=settings)
    bob.expect_line('"event": "waiting"')
    mallory = Raw(stage, "mallory")
    claimed = mallory.claim("bob")
    wires = [mallory.dial(claimed) for _ in range(2)]
    assert not wires[0].socket.poll(HELD_MS)
    wires[1].close()
    carol = Raw(stage, "carol")
    wait_until(lambda: carol.call("bob").expect(Accept), "bob takes carol's call", DIAL_S + 15)
    assert bob.running


def test_callers_that_read_no_answer_may_break(tmp_path: Path, children: Children) -> None:
    arguments = ("--listen", "tcp://127.0.0.1:*", "--data-dir", str(tmp_path / "broker"))
    broker = children.start("landline-broker", "serve", *arguments)
    invite = Invite.parse(broker.expect_line(r"^ready (\S+)$")[1])
    frames = [b"", *encode_request(Hello("flood"), os.urandom(16))]
    with zmq.Context() as context:
        for _ in range(2):
            with ExitStack() as stack:
                sockets = [stack.enter_context(context.socket(zmq.DEALER)) for _ in range(FLOODERS)]
                for socket in sockets:
                    key = fresh_key()
                    socket.linger, socket.rcvhwm = 0, 1
                    socket.curve_serverkey = invite.key
                    socket.curve_publickey, socket.curve_secretkey = key.public, key.secret
                    socket.connect(f"tcp://127.0.0.1:{invite.port}")
                flooding = Deadline(3.0)
                while not flooding.over:
                    for socket in sockets:
                        if socket.poll(0, zmq.POLLOUT):
                            socket.send_multipart(frames, zmq.NOBLOCK)
    with Peer(tmp_path / "alice", invite) as alice:
        alice.register("alice", PASSWORD)
        assert alice.login("alice", PASSWORD).name == "alice"
    assert broker.running
