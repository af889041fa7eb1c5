"""A peer whose gate has gone lets nobody in, rather than everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq
from zmq.utils.monitor import parse_monitor_message

from landline.ends import Engagements, Listen
from landline.journal import Journal
from landline.letters import Bound
from landline.line import Line
from tests.peer.raw import fresh_key

if TYPE_CHECKING:
    from tests.peer.stage import Stage


def test_without_a_gate_nobody_is_let_in(stage: Stage) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = stage.resources.enter_context(zmq.Context())
    journal = Journal(stage.path / "journal.sqlite3")
    bob, mallory = fresh_key(), fresh_key()
    line = Line(context, bob, Listen("bob", 0, journal), journal, Engagements())
    stage.resources.callback(line.stop)
    socket = stage.resources.enter_context(context.socket(zmq.PAIR))
    socket.linger = 0
    socket.handshake_ivl = 500  # libzmq leaves a handshake that is refused so unfinished
    socket.curve_serverkey = bob.public
    socket.curve_publickey, socket.curve_secretkey = mallory.public, mallory.secret
    events = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
    outcome = stage.resources.enter_context(socket.get_monitor_socket(events))
    stage.resources.callback(socket.disable_monitor)
    socket.connect(f"tcp://127.0.0.1:{line.expect(Bound).port}")
    assert outcome.poll(10_000)
    assert parse_monitor_message(outcome.recv_multipart())["event"] == zmq.EVENT_DISCONNECTED
