"""The peer's side of the broker: one request, one reply, or a clear error.

Owns a REQ socket and its monitor; a client belongs to the thread that made
it. A request whose reply does not come is asked again with the same id on a
fresh socket, because a REQ whose reply is lost is stuck. It knows what the
broker's error codes mean, and nothing of what the requests are for.
"""

import os
import random
import socket
import time
from contextlib import suppress
from errno import EMFILE, ENFILE
from typing import TypeVar

import zmq

from landline import __version__, monitor
from landline.deadline import Deadline
from landline.device import DeviceKey
from landline.errors import (
    BY_CODE,
    BrokerFailed,
    BrokerUnreachable,
    LandlineError,
    WrongBroker,
)
from landline.keepalive import keep_alive
from landline.visible import visible
from landline_protocol.codec import BadFrames, decode_reply, encode_request
from landline_protocol.errors import ErrorCode
from landline_protocol.invite import Invite, bracketed
from landline_protocol.limits import (
    REPLY_MAX,
    REQUEST_ID_OCTETS,
)
from landline_protocol.messages import Greeting, Hello, Problem, Reply, Request

CONNECT_S = 3.0
"""How long a broker has to finish the handshake."""
TRY_S = 4.0
"""How long a reply may take before the request is sent again."""
PAUSE_S = 0.1
"""The least time before a broker that could not answer is asked again."""
REQUEST_S = 15.0
"""How long a request may take altogether, with every retry."""

_BAD_HANDSHAKE = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)
_WATCHED = (
    _BAD_HANDSHAKE | zmq.EVENT_CONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
)
_ASK_AGAIN = frozenset({ErrorCode.BUSY, ErrorCode.UNAVAILABLE})

R = TypeVar("R", bound=Reply)


class BrokerClient:
    """A connection to one broker, opened by the first request."""

    def __init__(
        self, context: "zmq.Context[zmq.Socket[bytes]]", invite: Invite, key: DeviceKey
    ) -> None:
        self.invite = invite
        self._context = context
        self._key = key
        self._wire: _Wire | None = None
        self._greeting: Greeting | None = None

    def ask(self, request: Request, kind: type[R], seconds: float = REQUEST_S) -> R:
        """Make a request and return its reply, which is a ``kind``.

        Raises:
            BrokerUnreachable: no reply came within ``seconds``.
            WrongBroker: what answers is not the broker of the invite.
            LandlineError: the broker said no; see ``errors.BY_CODE``.
        """
        deadline = Deadline(seconds)
        request_id = os.urandom(REQUEST_ID_OCTETS)
        while True:
            reply = self._attempt(request, request_id, deadline)
            if isinstance(reply, kind):
                return reply
            if reply is not None:
                self._consider(reply, deadline)

    def hello(self) -> Greeting:
        """Return the broker's initialisation message."""
        if self._greeting is None:
            self._greeting = self.ask(Hello(f"landline/{__version__}"), Greeting)
        return self._greeting

    def close(self) -> None:
        """End the connection; the next request opens a new one."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _attempt(
        self, request: Request, request_id: bytes, deadline: Deadline
    ) -> Reply | Problem | None:
        """Ask once; ``None`` when no reply came and the deadline allows another try."""
        wire = self._connected(deadline)
        frames = wire.exchange(
            encode_request(request, request_id), Deadline(deadline.remaining(TRY_S))
        )
        if frames is None:
            self.close()
            if deadline.expired:
                raise BrokerUnreachable(
                    f"the broker at {self.invite.address} does not answer; try again in a while"
                )
            # Never in a hurry: it may be one that drops every connection.
            time.sleep(deadline.remaining(PAUSE_S) or 0.0)
            return None
        try:
            return decode_reply(frames, request, request_id)
        except BadFrames as error:
            self.close()
            raise WrongBroker(f"{self.invite.address}: {visible(str(error))}") from None

    def _connected(self, deadline: Deadline) -> "_Wire":
        if self._wire is None:
            try:
                wire = _Wire(self._context, self.invite, self._key)
            except zmq.ZMQError as error:
                if error.errno not in (EMFILE, ENFILE):
                    raise
                raise BrokerUnreachable(f"the broker cannot be asked: {error}") from error
            try:
                wire.connect(Deadline(deadline.remaining(CONNECT_S)))
            except BaseException:
                wire.close()
                raise
            self._wire = wire
        return self._wire

    def _consider(self, problem: Reply | Problem, deadline: Deadline) -> None:
        """Wait if the broker asks to be asked again, and there is time; raise otherwise."""
        if not isinstance(problem, Problem):
            raise WrongBroker(f"{self.invite.address} answers what was not asked")
        least = PAUSE_S if problem.retry_after is None else max(PAUSE_S, problem.retry_after)
        pause = least * random.uniform(1.0, 1.5)
        if problem.code not in _ASK_AGAIN or pause > (deadline.remaining() or 0.0):
            raise _error(problem)
        time.sleep(pause)


class _Wire:
    """One REQ socket with its monitor."""

    def __init__(
        self, context: "zmq.Context[zmq.Socket[bytes]]", invite: Invite, key: DeviceKey
    ) -> None:
        self._invite = invite
        self._socket = request = context.socket(zmq.REQ)
        request.linger = 0
        request.ipv6 = True
        request.immediate = True
        request.maxmsgsize = REPLY_MAX + 1_024
        request.reconnect_ivl = 200
        keep_alive(request)
        request.curve_serverkey = invite.key
        request.curve_publickey = key.public
        request.curve_secretkey = key.secret
        try:
            self._monitor = request.get_monitor_socket(_WATCHED)
        except BaseException:
            request.close(0)
            raise

    def connect(self, deadline: Deadline) -> None:
        """Connect and finish the handshake."""
        self._socket.connect(f"tcp://{bracketed(_resolved(self._invite))}:{self._invite.port}")
        connected = False
        while self._monitor.poll(deadline.remaining_ms() or 0):
            event = monitor.receive(self._monitor).event
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return
            if event & _BAD_HANDSHAKE:
                raise WrongBroker(
                    f"what answers at {self._invite.address} is not the broker of this invite;"
                    " ask for a new invite"
                )
            connected = connected or event == zmq.EVENT_CONNECTED
            if event == zmq.EVENT_DISCONNECTED:
                raise self._stranger()
        if connected:
            raise self._stranger()
        raise BrokerUnreachable(
            f"no broker answers at {self._invite.address}; check that it runs and that the"
            " invite is right"
        )

    def exchange(self, frames: list[bytes], deadline: Deadline) -> list[bytes] | None:
        """Send a request and return its reply; ``None`` when none can come any more."""
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return None
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        while ready := dict(poller.poll(deadline.remaining_ms())):
            if self._socket in ready:
                return self._socket.recv_multipart()
            event = monitor.receive(self._monitor).event
            if event == zmq.EVENT_DISCONNECTED:
                return None
        return None

    def close(self) -> None:
        with suppress(zmq.ContextTerminated):
            self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)

    def _stranger(self) -> WrongBroker:
        return WrongBroker(
            f"what answers at {self._invite.address} is no Landline broker;"
            " check the port, or ask for a new invite"
        )


def _resolved(invite: Invite) -> str:
    # libzmq looks names up in its own thread and says nothing when it fails.
    try:
        found = socket.getaddrinfo(invite.host, invite.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise BrokerUnreachable(
            f"the broker's host {visible(invite.host)} cannot be found; check the invite"
        ) from None
    return str(found[0][4][0])


def _error(problem: Problem) -> LandlineError:
    say = visible(problem.say)
    if problem.incident is not None:
        say = f"{say} (incident {visible(problem.incident)}: tell whoever runs the broker)"
    return BY_CODE.get(problem.code, BrokerFailed)(say)
