"""The PAIR socket of one link with its monitor: made, connected or bound, closed.

Belongs to the receiver's thread. It reads no frame, and what an event of the
monitor means is decided elsewhere.
"""

import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import zmq

from landline import monitor
from landline.deadline import Deadline
from landline.device import DeviceKey
from landline.ends import Address
from landline.errors import HomeUnusable
from landline.keepalive import keep_alive
from landline.monitor import MonitorEvent
from landline_protocol.invite import bracketed
from landline_protocol.limits import LINK_FRAME_MAX

ZAP_DOMAIN = b"landline-peer"
CURVE_OCTETS = 33
"""What CURVE adds to a frame on the wire."""
NEVER_MS = 3_600_000
"""Longer than a closed connection's socket is kept."""
UNBIND_S = 0.5
"""How long the port of an earlier link may take to be closed."""
_GLANCE_S = 0.002
GOODBYE_MS = 2_000
"""How long a closed link may take to get its last frames out."""

# `tcpi_bytes_received` of Linux's struct tcp_info (linux/tcp.h, since 4.1).
_RECEIVED = struct.Struct("=128xQ")
_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None

_WATCHED = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_CONNECTED
    | zmq.EVENT_ACCEPTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CLOSED
)


class Pair:
    """A PAIR ``socket`` and its ``monitor``; ``resources`` closes both.

    libzmq closes the port itself a little later, in a thread of its own.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        key: DeviceKey,
        resources: ExitStack,
    ) -> None:
        self._key = key
        self.socket = pair = resources.enter_context(context.socket(zmq.PAIR))
        pair.linger = GOODBYE_MS
        pair.ipv6 = True
        # A link is one-shot: the socket is closed at the first disconnection. To
        # forbid reconnecting (-1), or to be IMMEDIATE, would throw away what has
        # come before a disconnection and was not read yet.
        pair.reconnect_ivl = NEVER_MS
        pair.maxmsgsize = LINK_FRAME_MAX + CURVE_OCTETS
        # What comes is never held up: should the connection then break, a heartbeat of
        # the other side would make libzmq 4.3.5 abort the program. The window bounds it,
        # and a flood of anything else ends the link, also of what can never be read.
        pair.rcvhwm = 0
        keep_alive(pair)
        pair.curve_secretkey = key.secret
        self.monitor = resources.enter_context(pair.get_monitor_socket(_WATCHED))
        resources.callback(self._end_monitor)

    def connect(self, address: Address, key: bytes) -> bool:
        """Set out for whoever has ``key``; false when the address is none that libzmq takes."""
        self.socket.curve_serverkey = key
        self.socket.curve_publickey = self._key.public
        try:
            self.socket.connect(f"tcp://{address.text}")
        except zmq.ContextTerminated:
            raise
        except zmq.ZMQError:
            return False
        return True

    def bind(self, port: int) -> bool:
        """Listen on a port; false when it is taken, or stays taken by an earlier link."""
        self.socket.curve_server = True
        self.socket.zap_domain = ZAP_DOMAIN
        # Should the gate be gone, nobody gets in, rather than everybody.
        self.socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        patience = Deadline(UNBIND_S)
        while not self._bind(port):
            # libzmq closes the port of the link before this one in a thread of its
            # own. To unbind it would cut off the last frames of that link.
            if patience.expired:
                return False
            time.sleep(_GLANCE_S)
        return True

    def bind_any(self, port: int) -> int:
        """Listen on a port, or on any if that one is taken, and return which.

        Raises:
            HomeUnusable: no port can be listened on.
        """
        if not self.bind(port):
            self._bind(0)
        return int(self.socket.getsockopt_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1])

    def events(self) -> Iterator[MonitorEvent]:
        """Yield what the monitor has to say now."""
        while self.monitor.poll(0):
            yield monitor.receive(self.monitor)

    def _bind(self, port: int) -> bool:
        try:
            self.socket.bind(f"tcp://*:{port or '*'}")
        except zmq.ContextTerminated:
            raise
        except zmq.ZMQError as error:
            if port == 0:
                raise HomeUnusable(f"cannot listen for calls: {error}") from error
            return False
        return True

    def _end_monitor(self) -> None:
        with suppress(zmq.ContextTerminated):
            self.socket.disable_monitor()


def received(connection: int) -> int:
    """Return how many octets have come over a connection of libzmq, by its descriptor.

    0 where the system does not tell, and when it is no such connection any more.
    """
    if _TCP_INFO is None:
        return 0
    try:
        with socket.socket(fileno=os.dup(connection)) as twin:
            info = twin.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _RECEIVED.size)
    except OSError:
        return 0
    return int(_RECEIVED.unpack(info)[0]) if len(info) == _RECEIVED.size else 0


def addresses(connection: int) -> tuple[str, str]:
    """Return both ends of a connection that libzmq has just made, by its descriptor."""
    gone = "?", "?"  # The monitor says so next.
    try:
        descriptor = os.dup(connection)
    except OSError:
        return gone
    try:
        twin = socket.socket(fileno=descriptor)
    except OSError:
        # Something that is no socket has its number by now.
        os.close(descriptor)
        return gone
    with twin:
        try:
            return _address(twin.getsockname()), _address(twin.getpeername())
        except OSError:
            return gone


def _address(name: tuple[str, int]) -> str:
    host = name[0].removeprefix("::ffff:")
    return f"{bracketed(host)}:{name[1]}"
