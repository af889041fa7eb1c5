"""A lane: a bounded queue and the workers that empty it.

Belongs to the dispatcher's thread and owns its DEALER sockets, one for each
worker: behind a single DEALER a request can wait for a busy worker while
another one is idle.
"""

from collections import Counter, deque

import zmq

from landline_broker.frames import send_frames
from landline_broker.settings import LaneSettings
from landline_broker.worker import STOP

Socket = zmq.Socket[bytes]
Context = zmq.Context[zmq.Socket[bytes]]


class LaneFull(Exception):
    """The lane, or one device's share of it, is taken up."""


class Lane:
    """Hands each idle worker one request, and lets the others wait in turn.

    A request is its frames as the worker's REP takes them: ``[client, b"",
    context, operation, request id, body]``; the context frame stands for the
    device that asks.
    """

    def __init__(self, context: Context, endpoints: list[str], settings: LaneSettings) -> None:
        self._settings = settings
        self._queue: deque[list[bytes]] = deque()
        self._held: Counter[bytes] = Counter()
        self._idle = [_dealer(context, endpoint) for endpoint in endpoints]
        self._busy: dict[Socket, bytes] = {}
        self.sockets = tuple(self._idle)
        """What to poll for answers."""

    @property
    def in_hand(self) -> int:
        """How many requests are with workers."""
        return len(self._busy)

    @property
    def retry_after(self) -> float:
        """When to try again after LaneFull, in seconds."""
        return self._settings.retry_after

    def offer(self, request: list[bytes]) -> None:
        """Take a request.

        Raises:
            LaneFull
        """
        device = request[2]
        if self._held[device] >= self._settings.per_device:
            raise LaneFull
        if self._idle:
            self._hand(self._idle.pop(), request)
        elif len(self._queue) < self._settings.queued:
            self._queue.append(request)
        else:
            raise LaneFull
        self._held[device] += 1

    def collect(self, socket: Socket) -> list[bytes]:
        """Return the answer that lies ready, ``[client, b"", *reply]``."""
        answer = socket.recv_multipart(zmq.NOBLOCK)
        self._forget(self._busy.pop(socket))
        if self._queue:
            self._hand(socket, self._queue.popleft())
        else:
            self._idle.append(socket)
        return answer

    def drain(self) -> list[list[bytes]]:
        """Give up what still waits in the queue, and return it."""
        waiting = list(self._queue)
        self._queue.clear()
        return waiting

    def close(self) -> None:
        """Send the workers home."""
        for socket in self.sockets:
            socket.send_multipart([b"", STOP])
            socket.close()

    def _hand(self, socket: Socket, request: list[bytes]) -> None:
        send_frames(socket, request)
        self._busy[socket] = request[2]

    def _forget(self, device: bytes) -> None:
        self._held[device] -= 1
        if not self._held[device]:
            del self._held[device]


def _dealer(context: Context, endpoint: str) -> Socket:
    socket = context.socket(zmq.DEALER)
    socket.linger = 1000  # a worker that is busy still hears that it shall stop
    socket.bind(endpoint)
    return socket
