"""A device that asks a broker: one CURVE key and fresh REQ sockets, nothing of the peer."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Self

import zmq
from zmq.utils import z85

from landline_protocol.codec import decode_reply, encode_request
from landline_protocol.messages import Call, Login, Problem, Register, Wait

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
    """A key pair and a REQ socket on it, for one thread."""

    def __init__(self, invite: Invite, *, host: str = "127.0.0.1") -> None:
        self.public, self._secret = zmq.curve_keypair()
        self.key = z85.decode(self.public)
        self._endpoint = f"tcp://{host}:{invite.port}"
        self._server = z85.encode(invite.key)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
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
        """Close the socket and all that belongs to it."""
        self._context.destroy(linger=0)

    def connect(self, kind: int = zmq.REQ, **options: Any) -> zmq.Socket[bytes]:
        """Return a socket that is connected with this device's key."""
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.rcvtimeo = DEADLINE_MS
        socket.ipv6 = True
        socket.curve_serverkey = options.get("server", self._server)
        socket.curve_publickey, socket.curve_secretkey = self.public, self._secret
        socket.connect(self._endpoint)
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
        return self.receive(request, self.send(request, rid))

    def raw(self, *frames: bytes) -> list[bytes]:
        """Send these frames and return those of the answer."""
        self.socket.send_multipart(frames)
        return self.socket.recv_multipart()

    def register(self, name: str) -> Self:
        """Make a user and log in."""
        for request in (Register(name, PASSWORD), Login(name, PASSWORD)):
            answer = self.ask(request)
            assert not isinstance(answer, Problem), answer
        return self

    def login(self, name: str) -> Self:
        """Log in as a user that exists."""
        answer = self.ask(Login(name, PASSWORD))
        assert not isinstance(answer, Problem), answer
        return self

    def wait(self, port: int) -> Self:
        """Wait for callers at a port."""
        answer = self.ask(Wait(port))
        assert not isinstance(answer, Problem), answer
        return self

    def call(self, name: str) -> Any:
        """Call a user."""
        return self.ask(Call(name))
