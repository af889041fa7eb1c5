"""A lane: a bounded queue and the workers that empty it.

Belongs to the dispatcher's thread and owns its DEALER sockets, one for each
worker: behind a single DEALER a request can wait for a busy worker while
another one is idle.
"""

from collections import Counter, deque

import zmq

from landline_broker.settings import LaneSettings
from landline_broker.worker import STOP


class LaneFull(Exception):
    """The lane, or one device's share of it, is taken up."""


class _Desk:
    """The DEALER that one worker sits at, and whose requests lie there."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self.socket = socket
        self.devices: deque[bytes] = deque()


class Lane:
    """Hands requests to workers, fairly, and no more than they can take.

    A request is its frames as the worker's REP takes them: ``[client, b"",
    context, operation, request id, body]``; the context frame stands for the
    device that asks.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        endpoints: list[str],
        settings: LaneSettings,
    ) -> None:
        self._settings = settings
        self._queue: deque[tuple[bytes, list[bytes]]] = deque()
        self._held: Counter[bytes] = Counter()
        self._desks = [_desk(context, endpoint) for endpoint in endpoints]
        self._by_socket = {desk.socket: desk for desk in self._desks}

    @property
    def sockets(self) -> list["zmq.Socket[bytes]"]:
        """What to poll for answers."""
        return list(self._by_socket)

    @property
    def in_hand(self) -> int:
        """How many requests are with workers."""
        return sum(len(desk.devices) for desk in self._desks)

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
        desk = min(self._desks, key=lambda desk: len(desk.devices))
        if len(desk.devices) < self._settings.handed:
            _hand(desk, device, request)
        elif len(self._queue) < self._settings.queued:
            self._queue.append((device, request))
        else:
            raise LaneFull
        self._held[device] += 1

    def collect(self, socket: "zmq.Socket[bytes]") -> list[bytes]:
        """Return an answer that lies ready, ``[client, b"", *reply]``.

        Raises:
            zmq.Again: there is none.
        """
        answer = socket.recv_multipart(zmq.NOBLOCK)
        desk = self._by_socket[socket]
        self._forget(desk.devices.popleft())
        if self._queue:
            _hand(desk, *self._queue.popleft())
        return answer

    def drain(self) -> list[list[bytes]]:
        """Give up what still waits in the queue, and return it."""
        waiting = [request for _, request in self._queue]
        self._queue.clear()
        return waiting

    def close(self) -> None:
        """Send the workers home."""
        for desk in self._desks:
            desk.socket.send_multipart([b"", STOP])
            desk.socket.close()

    def _forget(self, device: bytes) -> None:
        self._held[device] -= 1
        if not self._held[device]:
            del self._held[device]


def _desk(context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str) -> _Desk:
    socket = context.socket(zmq.DEALER)
    socket.linger = 1000
    socket.bind(endpoint)
    return _Desk(socket)


def _hand(desk: _Desk, device: bytes, request: list[bytes]) -> None:
    desk.socket.send_multipart(request)
    desk.devices.append(device)
