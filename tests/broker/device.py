"""A device that asks a broker: one CURVE key and REQ sockets, nothing of the peer."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Self

import zmq
from zmq.utils import z85

from landline_protocol.codec import decode_reply, encode_request
from landline_protocol.messages import Call, Login, Problem, Register, Vet, Wait, Who

if TYPE_CHECKING:
    from types import TracebackType

    from landline_protocol.invite import Invite
    from landline_protocol.messages import Reply, Request

DEADLINE_MS = 10_000
PASSWORD = "correct horse battery"


class NoAnswer(AssertionError):
    """The broker did not answer in time."""


def request_id() -> bytes:
    """Return an id that no other request has."""
    return secrets.token_bytes(16)


class Device:
    """A key pair and a REQ socket on it, for one thread.

    Many devices may share a context, which then is not theirs to close.
    """

    def __init__(
        self,
        invite: Invite,
        *,
        host: str = "127.0.0.1",
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        self.public, self._secret = zmq.curve_keypair()
        self.key = z85.decode(self.public)
        self.endpoint = f"tcp://{host}:{invite.port}"
        self._server = z85.encode(invite.key)
        self._own = zmq.Context() if context is None else None
        self._context = context or self._own or zmq.Context()
        self._sockets: list[zmq.Socket[bytes]] = []
        self.socket = self.connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the sockets and what belongs to them."""
        for socket in self._sockets:
            socket.close(0)
        if self._own is not None:
            self._own.term()

    def connect(self, kind: int = zmq.REQ, **options: Any) -> zmq.Socket[bytes]:
        """Return another socket, with these options, connected with this device's key."""
        socket = self.bare(kind)
        for name, value in options.items():
            setattr(socket, name, value)
        socket.curve_serverkey = self._server
        socket.curve_publickey, socket.curve_secretkey = self.public, self._secret
        socket.connect(self.endpoint)
        return socket

    def move(self, endpoint: str) -> None:
        """Ask the broker at another of its addresses from now on."""
        self.endpoint = endpoint
        self.socket = self.connect()

    def bare(self, kind: int = zmq.REQ) -> zmq.Socket[bytes]:
        """Return a socket with no key, not connected."""
        socket = self._context.socket(kind)
        self._sockets.append(socket)
        socket.linger = 0
        socket.rcvtimeo = DEADLINE_MS
        socket.ipv6 = True
        return socket

    def send(self, request: Request, rid: bytes | None = None) -> bytes:
        """Send a request without waiting; return its id."""
        rid = rid or request_id()
        self.socket.send_multipart(encode_request(request, rid))
        return rid

    def receive(self, request: Request, rid: bytes) -> Reply | Problem:
        """Return the answer to a request."""
        try:
            frames = self.socket.recv_multipart()
        except zmq.Again:
            raise NoAnswer(request) from None
        return decode_reply(frames, request, rid)

    def ask(self, request: Request, rid: bytes | None = None) -> Any:
        """Send a request and return the answer, a reply or a problem."""
        rid = rid or request_id()
        self.send(request, rid)
        return self.receive(request, rid)

    def refused(self, request: Request) -> str:
        """Return the code of the problem that this request meets."""
        answer = self.ask(request)
        assert isinstance(answer, Problem), answer
        assert answer.say, answer
        assert "\n" not in answer.say
        return answer.code

    def raw(self, *frames: bytes) -> list[bytes]:
        """Send these frames and return those of the answer."""
        self.socket.send_multipart(frames)
        return self.socket.recv_multipart()

    def must(self, request: Request, rid: bytes | None = None) -> Any:
        """Send a request that succeeds and return the reply."""
        answer = self.ask(request, rid)
        assert not isinstance(answer, Problem), answer
        return answer

    def join(self, name: str) -> Self:
        """Make a user and log in."""
        self.must(Register(name, PASSWORD))
        return self.login(name)

    def login(self, name: str) -> Self:
        """Log in as a user that exists."""
        self.must(Login(name, PASSWORD))
        return self

    def wait(self, port: int = 20_001, host: str = "") -> Any:
        """Wait for callers at a port."""
        return self.must(Wait(port, host))

    def call(self, name: str, rid: bytes | None = None) -> Any:
        """Call a user."""
        return self.must(Call(name), rid)

    def vet(self, other: Device) -> Any:
        """Vet another device's key."""
        return self.must(Vet(other.key))

    def state(self, name: str) -> str:
        """Return what a user does."""
        (presence,) = self.must(Who(name)).users
        return str(presence.state)
