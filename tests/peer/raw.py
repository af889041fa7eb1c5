"""A peer that keeps to no rule: it is vetted, and then sends what a test wants.

It logs in and calls or waits like any other, by the peer's own broker client;
its PAIR sockets are plain pyzmq.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

import zmq
from zmq.utils import z85

from landline.client import BrokerClient
from landline.device import DeviceKey
from landline_protocol.frames import (
    Accept,
    Batch,
    Bye,
    Chunk,
    ControlFrame,
    Frame,
    Hello,
    Text,
    Welcome,
    decode,
    encode,
    encode_batch,
    encode_item,
)
from landline_protocol.limits import WINDOW
from landline_protocol.messages import Call, Claimed, Leased, LoggedIn, Login, Wait
from tests.peer.stage import PASSWORD, insist
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from types import TracebackType

    from tests.peer.stage import Stage

DEADLINE_MS = 10_000


def fresh_key() -> DeviceKey:
    public, secret = zmq.curve_keypair()
    return DeviceKey(z85.decode(public), z85.decode(secret))


def batch(first: int, *items: Text | Bye) -> bytes:
    """Return the octets of a batch."""
    return encode_batch(Chunk(first, len(items), b"".join(map(encode_item, items))))


class Wire:
    """One PAIR socket and what has happened to its connection."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        socket.linger = 0
        socket.reconnect_ivl = 3_600_000
        socket.rcvtimeo = socket.sndtimeo = DEADLINE_MS
        self.monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED | _REFUSED | _NOBODY)

    def send(self, *parts: bytes | ControlFrame) -> None:
        self.socket.send_multipart([p if isinstance(p, bytes) else encode(p) for p in parts])

    def receive(self) -> Frame:
        return decode(self.socket.recv())

    def expect(self, kind: type[Any]) -> Any:
        """Return the next frame of a kind; batches and acks before it are passed over."""
        while not isinstance(frame := self.receive(), kind):
            pass
        return frame

    def take_call(self) -> Hello:
        """Welcome the next caller and take the call; return their hello."""
        hello: Hello = self.expect(Hello)
        self.send(welcome(hello))
        self.send(Accept())
        return hello

    def answered(self) -> bool:
        """Whether something comes before the connection ends, or is none."""
        poller = zmq.Poller()
        for socket in (self.socket, self.monitor):
            poller.register(socket, zmq.POLLIN)
        return self.socket in dict(poller.poll(DEADLINE_MS))

    def gone(self) -> bool:
        """Whether the connection ends in time."""
        return bool(self.monitor.poll(DEADLINE_MS))

    def hang_up(self) -> None:
        """Go, after everything has been sent."""
        self.socket.linger = 1_000
        self.close()

    def close(self) -> None:
        if self.socket.closed:
            return
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close()


class Raw:
    """A device of a user, with sockets of its own."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.name = name
        self.key = fresh_key()
        self._stage = stage
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.broker = BrokerClient(self._context, stage.invite, self.key)
        self._wires: list[Wire] = []
        self._port = 0
        stage.register(name)
        self.broker.ask(Login(name, PASSWORD), LoggedIn)
        stage.resources.enter_context(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for wire in self._wires:
            wire.close()
        self.broker.close()
        self._context.term()

    def claim(self, name: str) -> Claimed:
        """Claim a callee as soon as it waits."""
        return insist(lambda: self.broker.ask(Call(name), Claimed))

    def dial(self, claimed: Claimed, key: DeviceKey | None = None) -> Wire:
        """Connect to where a callee waits."""
        key = key or self.key
        socket = self._context.socket(zmq.PAIR)
        socket.curve_serverkey = claimed.key
        socket.curve_publickey, socket.curve_secretkey = key.public, key.secret
        wire = self._kept(Wire(socket))
        socket.connect(f"tcp://{claimed.host or '127.0.0.1'}:{claimed.port}")
        return wire

    def hello(self, callee: str, /, **changed: Any) -> Hello:
        usual: dict[str, Any] = {
            "versions": (1, 1),
            "conversation": os.urandom(16),
            "caller": self.name,
            "callee": callee,
            "resume": 1,
            "window": WINDOW,
        }
        return Hello(**{**usual, **changed})

    def call(self, name: str) -> Wire:
        """Claim, connect and say hello; the callee rings."""
        wire = self.dial(self.claim(name))
        wire.send(self.hello(name))
        assert isinstance(wire.receive(), Welcome)
        return wire

    def wait(self) -> Wire:
        """Bind, and let the broker send callers; anybody is let in."""
        wire = self._listener()
        self._port = wire.socket.bind_to_random_port("tcp://127.0.0.1")
        self.broker.ask(Wait(self._port), Leased)
        return wire

    def wait_again(self) -> Wire:
        """Bind the same port, which the wire before this one has left."""
        wire = self._listener()

        def bound() -> bool:
            try:
                wire.socket.bind(f"tcp://127.0.0.1:{self._port}")
            except zmq.ZMQError:
                return False
            return True

        wait_until(bound, "the port is free")
        return wire

    def _listener(self) -> Wire:
        socket = self._context.socket(zmq.PAIR)
        socket.curve_server = True
        socket.curve_secretkey = self.key.secret
        return self._kept(Wire(socket))

    def _kept(self, wire: Wire) -> Wire:
        self._wires.append(wire)
        return wire


def welcome(hello: Hello, **changed: Any) -> Welcome:
    usual = {"version": 1, "conversation": hello.conversation, "resume": 1, "window": WINDOW}
    return Welcome(**{**usual, **changed})


__all__ = ["Accept", "Batch", "Raw", "Wire", "batch", "fresh_key", "welcome"]

# One that connects and finds nobody sets out to try again.
_NOBODY = zmq.EVENT_CONNECT_RETRIED
_REFUSED = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)
