"""The dispatcher: the one thread that owns the socket peers connect to.

It reads who asks off each message, routes on the operation frame alone and
never decodes a body. What is no request it answers itself; nothing that comes
in can stop it.
"""

import logging
import time
from typing import Final

import zmq

from landline_broker.address import Listen
from landline_broker.context import peer_frame
from landline_broker.frames import is_readable, send_frames
from landline_broker.keys import KeyPair
from landline_broker.lane import Lane, LaneFull
from landline_broker.settings import Wire
from landline_broker.zap import DOMAIN
from landline_protocol.codec import BadFrames, encode_problem, split_request
from landline_protocol.errors import ErrorCode
from landline_protocol.limits import REQUEST_ID_OCTETS, REQUEST_MAX
from landline_protocol.messages import Problem

AUTH: Final = frozenset({b"register", b"login"})
"""The operations that cost a bcrypt."""

_BACKLOG: Final = 1024
_BURST: Final = 64
# After so many seconds without a sign of life the system asks for one, so often at most.
_KEEPALIVE_S: Final = 10
_KEEPALIVES: Final = 3
# CURVE adds 33 octets to a frame; a little more and a request that is too long
# gets an answer that says so instead of a cut connection.
_FRAME_MAX: Final = REQUEST_MAX + 1024

_STOPPING: Final = Problem(
    ErrorCode.UNAVAILABLE, "the broker is stopping; try again in a moment", retry_after=2.0
)

log = logging.getLogger("landline.broker")

Socket = zmq.Socket[bytes]
Context = zmq.Context[zmq.Socket[bytes]]


def bound_router(context: Context, listen: Listen, keys: KeyPair, wire: Wire) -> Socket:
    """Return the ROUTER that peers connect to.

    ROUTER_HANDOVER stays off, or one peer could take another's place by naming
    its routing id. ROUTER_MANDATORY stays off too: the answer to a peer that is
    gone or does not read is dropped, and the peer asks again.

    Raises:
        zmq.ZMQError: the address cannot be listened on.
    """
    socket = context.socket(zmq.ROUTER)
    try:
        _configure(socket, keys, wire)
        _bind(socket, listen)
    except BaseException:
        socket.close(0)
        raise
    return socket


class Dispatcher:
    """Brings requests to lanes and answers to peers until it is told to stop."""

    def __init__(self, router: Socket, control: Socket, auth: Lane, directory: Lane) -> None:
        self._router = router
        self._control = control
        self._auth = auth
        self._directory = directory
        self._lanes: dict[Socket, Lane] = {
            socket: lane for lane in (auth, directory) for socket in lane.sockets
        }

    def run(self, finish: float) -> None:
        """Serve until a message comes on the control socket.

        Then take nothing more, give requests in hand ``finish`` seconds, answer
        those that wait ``unavailable`` and close every socket.
        """
        poller = zmq.Poller()
        for socket in (self._control, self._router, *self._lanes):
            poller.register(socket, zmq.POLLIN)
        try:
            while self._turn(dict(poller.poll())):
                pass
            poller.unregister(self._router)
            poller.unregister(self._control)
            self._finish(poller, time.monotonic() + finish)
        finally:
            self._close()

    def _turn(self, ready: dict[Socket, int]) -> bool:
        """Do what the sockets are ready for; False once told to stop."""
        for socket in ready:
            if socket is self._router:
                self._take_some()
            elif socket is not self._control:
                send_frames(self._router, self._lanes[socket].collect(socket))
        return self._control not in ready

    def _take_some(self) -> None:
        """Take what lies ready, but leave others their turn."""
        for _ in range(_BURST):
            self._take()
            if not is_readable(self._router):
                return

    def _take(self) -> None:
        parts = self._router.recv_multipart(zmq.NOBLOCK, copy=False)
        frames = [part.bytes for part in parts]
        if len(frames) < 3 or frames[1]:
            return  # not from a REQ: there is no envelope to answer in
        try:
            peer = peer_frame(str(parts[-1].get("User-Id")), str(parts[-1].get("Peer-Address")))
            self._route(frames, peer)
        except BadFrames as error:
            self._refuse(frames[0], _request_id(frames), Problem(error.code, str(error)))
        except Exception:
            log.exception("a message was dropped")

    def _route(self, frames: list[bytes], peer: bytes) -> None:
        request = split_request(frames[2:])
        if len(request.body) > REQUEST_MAX:
            say = f"a request has at most {REQUEST_MAX} octets"
            raise BadFrames(ErrorCode.BAD_REQUEST, say)
        lane = self._auth if request.operation in AUTH else self._directory
        try:
            lane.offer([frames[0], b"", peer, *frames[3:]])
        except LaneFull:
            say = "the broker is busy; try again in a moment"
            busy = Problem(ErrorCode.BUSY, say, retry_after=lane.retry_after)
            self._refuse(frames[0], request.request_id, busy)

    def _refuse(self, client: bytes, request_id: bytes, problem: Problem) -> None:
        send_frames(self._router, [client, b"", *encode_problem(problem, request_id)])

    def _finish(self, poller: zmq.Poller, deadline: float) -> None:
        lanes = (self._auth, self._directory)
        for client, _, _, _, request_id, _ in [*lanes[0].drain(), *lanes[1].drain()]:
            self._refuse(client, request_id, _STOPPING)
        while any(lane.in_hand for lane in lanes):
            left = deadline - time.monotonic()
            if left <= 0:
                log.warning("stopping although requests are still in hand")
                return
            self._turn(dict(poller.poll(int(left * 1000))))

    def _close(self) -> None:
        self._auth.close()
        self._directory.close()
        self._control.close()
        self._router.close()


def _request_id(frames: list[bytes]) -> bytes:
    """Return the request id of a message that need not be a request."""
    request_id = frames[4] if len(frames) > 4 else b""
    return request_id if len(request_id) == REQUEST_ID_OCTETS else b""


def _configure(socket: Socket, keys: KeyPair, wire: Wire) -> None:
    socket.curve_server = True
    socket.curve_secretkey = keys.secret
    socket.zap_domain = DOMAIN
    # Without a handler nobody gets in, rather than everybody.
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    socket.maxmsgsize = _FRAME_MAX
    socket.sndhwm = socket.rcvhwm = _BURST
    socket.backlog = _BACKLOG
    # No ZMTP heartbeats: libzmq 4.3.5 aborts the broker when a connection breaks whose
    # input it had held up and the next one is due.
    socket.tcp_keepalive = 1
    socket.tcp_keepalive_idle = socket.tcp_keepalive_intvl = _KEEPALIVE_S
    socket.tcp_keepalive_cnt = _KEEPALIVES
    socket.tcp_maxrt = 1_000 * _KEEPALIVE_S * _KEEPALIVES
    socket.handshake_ivl = wire.handshake
    socket.linger = 500


def _bind(socket: Socket, listen: Listen) -> None:
    socket.ipv6 = True
    try:
        socket.bind(str(listen))
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE or listen.host != "*":
            raise
        socket.ipv6 = False  # a machine without IPv6
        socket.bind(str(listen))
