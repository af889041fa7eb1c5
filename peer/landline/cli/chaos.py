"""A link that is cut again and again: a TCP proxy which does to it what bad networks do.

One thread owns every socket of it and passes octets on both ways, until it is
time to cut: by FIN or by RST, in the middle of whatever is under way, and then
now and then nobody gets through for a moment. It knows nothing of what it
carries.
"""

import random
import selectors
import socket
import struct
import threading
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

from landline.deadline import Deadline

HOST = "127.0.0.1"
CALM_S = (0.05, 1.2)
"""From how long to how long a link lasts."""
REFUSING_S = (0.05, 0.8)
"""For how long nobody gets through, if so."""
REFUSING_SHARE = 0.3
_CHUNK = 65_536
_BEGIN, _CALM = b"b", b"c"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST


class Cutter(threading.Thread):
    """Passes on to ``target``, a port of this machine, once it is known.

    It cuts from ``begin`` to ``calm``, and counts. Use it in a ``with`` block.
    """

    def __init__(self) -> None:
        super().__init__(name="landline-cutter")
        self.target = 0
        self.cuts = 0
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._bell, self._ear = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._links: list[_Link] = []
        self._cut = Deadline(None)
        self._refusing = Deadline(0.0)
        self._ending = False

    def begin(self) -> None:
        """Cut from now on."""
        self._bell.send(_BEGIN)

    def calm(self) -> None:
        """Cut no more; who comes gets through."""
        self._bell.send(_CALM)

    def run(self) -> None:
        """Pass on, and cut, until told to end."""
        self._listener.setblocking(False)
        with self._selector, self._listener, self._ear:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
            self._selector.register(self._ear, selectors.EVENT_READ, self._obey)
            while not self._ending:
                for key, _ in self._selector.select(self._cut.remaining()):
                    key.data()
                if self._cut.expired:
                    self._cut_all()
            self._drop_all(hard=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bell.close()
        self.join()

    # -- in its own thread --------------------------------------------------------

    def _obey(self) -> None:
        order = self._ear.recv(1)
        self._ending = not order
        self._refusing = Deadline(0.0)
        self._cut = Deadline(0.0 if order == _BEGIN else None)

    def _accept(self) -> None:
        try:
            caller, _ = self._listener.accept()
        except OSError:
            return  # it has gone already
        if not self._refusing.expired:
            _close(caller, hard=True)
            return
        try:
            callee = socket.create_connection((HOST, self.target))
        except OSError:
            _close(caller, hard=True)
            return
        self._links.append(_Link(caller, callee, self._selector))

    def _cut_all(self) -> None:
        self._cut = Deadline(random.uniform(*CALM_S))
        if not any(link.open for link in self._links):
            return
        self.cuts += 1
        self._drop_all(hard=random.random() < 0.5)
        if random.random() < REFUSING_SHARE:
            self._refusing = Deadline(random.uniform(*REFUSING_S))

    def _drop_all(self, *, hard: bool) -> None:
        for link in self._links:
            link.drop(hard=hard)
        self._links.clear()


class _Link:
    """Two connections and what goes from each to the other."""

    def __init__(
        self, caller: socket.socket, callee: socket.socket, selector: selectors.BaseSelector
    ) -> None:
        self.open = True
        self._selector = selector
        self._sockets = (caller, callee)
        self._waiting = {caller: b"", callee: b""}
        for each, other in ((caller, callee), (callee, caller)):
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(each, selectors.EVENT_READ, partial(self._turn, each, other))

    def drop(self, *, hard: bool) -> None:
        """End both connections, by RST or by FIN; what is under way is lost."""
        if self.open:
            self.open = False
            for each in self._sockets:
                self._selector.unregister(each)
                _close(each, hard=hard)

    def _turn(self, one: socket.socket, other: socket.socket) -> None:
        """Do what one of the two can do now: take what waits for it, or say more."""
        if not self.open:
            return  # cut in this same turn
        try:
            if self._waiting[one]:
                self._pass_on(b"", one)
            if not self._waiting[other]:
                self._pass_on(self._heard(one), other)
        except BlockingIOError:
            pass  # the selector says when
        except OSError:
            self.drop(hard=True)
            return
        self._watch(one)
        self._watch(other)

    def _heard(self, one: socket.socket) -> bytes:
        octets = one.recv(_CHUNK)
        if not octets:
            raise ConnectionError("it has said all")
        return octets

    def _pass_on(self, octets: bytes, to: socket.socket) -> None:
        self._waiting[to] += octets
        try:
            sent = to.send(self._waiting[to])
        except BlockingIOError:
            sent = 0
        self._waiting[to] = self._waiting[to][sent:]

    def _watch(self, one: socket.socket) -> None:
        """Look at what one can do next: who is not listened to is not read."""
        other = self._sockets[self._sockets[0] is one]
        events = selectors.EVENT_READ if not self._waiting[other] else 0
        events |= selectors.EVENT_WRITE if self._waiting[one] else 0
        self._selector.modify(one, events, partial(self._turn, one, other))


def _close(one: socket.socket, *, hard: bool) -> None:
    with suppress(OSError):  # the other side was quicker
        if hard:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        else:
            one.shutdown(socket.SHUT_RDWR)
    one.close()
