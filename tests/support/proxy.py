"""A TCP proxy for tests: it passes octets on both ways, keeps them, and disturbs on demand.

It knows nothing of what it carries. One thread owns every socket of a proxy; what a
test asks for is done in that thread, and has been done when the method returns.
"""

from __future__ import annotations

import contextlib
import enum
import selectors
import socket
import struct
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from tests.support.lan import Node

ORDER_DEADLINE = 5.0
"""How long the proxy's thread may take to do what it is asked, in seconds."""
CONNECT_DEADLINE = 2.0
CHUNK = 65_536
STEP_S = 0.02
"""For how long a throttled way rests between two pieces, in seconds."""
QUEUE_MAX = 1_048_576
"""How much one way holds back, in octets, before it stops reading."""

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST


class Way(enum.Enum):
    """The two directions of a connection."""

    THERE = "from the one who connected to the target"
    BACK = "from the target to the one who connected"


class Act(enum.Enum):
    """What a proxy does when a trap springs."""

    FIN = "ends the connection as one who has said all does"
    RST = "resets the connection"
    HOLD = "passes nothing on, both ways, until `resume`"
    FLIP = "flips one bit of the next octet"


class Trap:
    """Looks at what passes, and springs once: what comes from then on is disturbed.

    A test's own kind of trap overrides `look`; `sprung` tells that it has sprung.
    """

    def __init__(self, act: Act) -> None:
        self.act = act
        self.sprung = threading.Event()

    def look(self, connection: int, way: Way, octets: bytes) -> int | None:
        """Return how many of these octets still pass if the trap springs on them.

        Connections are numbered from 1. Called in the proxy's thread until it springs.
        """
        raise NotImplementedError


class AfterOctets(Trap):
    """Springs when so many octets have passed that way since it was set."""

    def __init__(self, act: Act, way: Way, count: int) -> None:
        super().__init__(act)
        self._way = way
        self._left = count

    def look(self, connection: int, way: Way, octets: bytes) -> int | None:
        if way is not self._way:
            return None
        if self._left < len(octets):
            return self._left
        self._left -= len(octets)
        return None


class Proxy:
    """Listens on a port of its own and passes on to `target`, until stopped.

    Every disturbance holds for the connections that are open and those to come. The
    target may be set later; connections that come before are reset. On a `node` it is
    that machine of the tests' network that listens and connects.
    """

    def __init__(
        self,
        target: tuple[str, int] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        node: Node | None = None,
    ) -> None:
        self.target = target
        self.host = host
        self._node = node
        self._where: Future[socket.socket] = Future()
        self._orders: deque[tuple[Callable[[], object], Future[None]]] = deque()
        self._bell, self._ear = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._connections: list[_Connection] = []
        self._record: dict[Way, list[bytes]] = {way: [] for way in Way}
        self._faults = _Faults()
        self._accepted = 0
        self._stopping = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, args=(port,), name=f"proxy of {target}")
        self._thread.start()
        try:
            self._listener = self._where.result(ORDER_DEADLINE)
        except BaseException:
            self._thread.join(ORDER_DEADLINE)
            self._bell.close()
            raise
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # What it has seen.

    @property
    def accepted(self) -> int:
        """How many connections there were so far."""
        return self._accepted

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._connections)

    def octets(self, way: Way) -> bytes:
        """Return all that was sent that way, as it was sent, one connection's or several'."""
        return b"".join(list(self._record[way]))

    # What it does on demand.

    def cut(self) -> None:
        """Reset every connection that is open; new ones are served."""
        self._order(lambda: self._reset(list(self._connections)))

    def finish(self) -> None:
        """End every connection that is open with FIN, both ways; new ones are served."""

        def act() -> None:
            for each in self._connections:
                each.finish()

        self._order(act)

    def set(self, trap: Trap) -> None:
        """Let a trap look at what passes; one that was set before looks no more."""

        def act() -> None:
            self._faults.trap = trap

        self._order(act)

    def refuse(self) -> None:
        """Reset every connection, and new ones as they come, until `admit`."""
        self._order(lambda: self._refuse(refusing=True))

    def admit(self) -> None:
        """Serve new connections again."""
        self._order(lambda: self._refuse(refusing=False))

    def stall(self, *ways: Way) -> None:
        """Pass nothing on these ways (default: both), without closing, until `resume`."""
        self._order(lambda: self._faults.stalled.update(ways or Way))

    def resume(self, *ways: Way) -> None:
        """Pass on again what came meanwhile, and what comes."""
        self._order(lambda: self._faults.stalled.difference_update(ways or Way))

    def delay(self, seconds: float, *ways: Way) -> None:
        """Pass on what comes from now only after so many seconds, in order; 0 ends it."""
        self._order(lambda: self._faults.delays.update(dict.fromkeys(ways or Way, seconds)))

    def throttle(self, rate: float, *ways: Way) -> None:
        """Pass on at most so many octets per second on these ways; 0 ends it."""
        self._order(lambda: self._faults.rates.update(dict.fromkeys(ways or Way, rate)))

    def corrupt(self, way: Way, after: int = 0) -> None:
        """Flip one bit on that way, once, when `after` further octets have come."""
        self._order(lambda: self._faults.flips.update({way: after}))

    def stop(self) -> None:
        """Close everything. May be called again."""
        if self._stopped:
            return
        self._order(self._end)
        self._thread.join(ORDER_DEADLINE)
        if self._thread.is_alive():
            raise AssertionError(f"{self._thread.name} does not end")
        self._bell.close()
        self._stopped = True

    def _order(self, act: Callable[[], object]) -> None:
        done: Future[None] = Future()
        self._orders.append((act, done))
        self._bell.send(b"!")
        done.result(ORDER_DEADLINE)

    # In the proxy's thread.

    def _run(self, port: int) -> None:
        try:
            if self._node is not None:
                self._node.enter()
            listener = socket.create_server((self.host, port), family=_family(self.host))
        except BaseException as error:  # noqa: BLE001 - whoever makes the proxy is told
            self._selector.close()
            self._ear.close()
            self._where.set_exception(error)
            return
        self._where.set_result(listener)
        with self._selector, listener, self._ear:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, self._accept)
            self._selector.register(self._ear, selectors.EVENT_READ, self._obey)
            try:
                while not self._stopping:
                    self._turn()
            finally:
                self._reset(list(self._connections))

    def _turn(self) -> None:
        moment = time.monotonic()
        for connection in self._connections:
            connection.watch(self._selector, moment)
        for key, events in self._selector.select(self._pause(moment)):
            if isinstance(key.data, _Connection):
                self._serve(key.data, key.fileobj, events)  # type: ignore[arg-type]
            else:
                key.data()

    def _pause(self, moment: float) -> float | None:
        """Return the seconds until the next delayed octets are due."""
        due = [pipe.due for c in self._connections for pipe in c.pipes if pipe.due is not None]
        later = [moment_due - moment for moment_due in due if moment_due > moment]
        return min(later, default=None)

    def _obey(self) -> None:
        self._ear.recv(1)
        act, done = self._orders.popleft()
        try:
            act()
        except BaseException as error:
            done.set_exception(error)
            raise
        done.set_result(None)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # it has gone already
        self._accepted += 1
        if self._faults.refusing or self.target is None:
            _reset(client)
            return
        try:
            target = socket.create_connection(self.target, CONNECT_DEADLINE)
        except OSError:
            _reset(client)
            return
        number = self._accepted
        self._connections.append(_Connection(number, client, target, self._faults, self._record))

    def _serve(self, connection: _Connection, ready: socket.socket, events: int) -> None:
        if not connection.open:
            return  # ended in this same turn
        try:
            connection.serve(ready, events)
        except BlockingIOError:
            pass  # the selector will say again
        except (OSError, _Reset):
            self._reset([connection])
        else:
            if connection.finished:
                self._drop(connection)
                connection.close()

    def _reset(self, connections: Iterable[_Connection]) -> None:
        for connection in connections:
            self._drop(connection)
            connection.reset()

    def _drop(self, connection: _Connection) -> None:
        connection.forget(self._selector)
        self._connections.remove(connection)

    def _refuse(self, *, refusing: bool) -> None:
        self._faults.refusing = refusing
        if refusing:
            self._reset(list(self._connections))

    def _end(self) -> None:
        self._stopping = True


class _Faults:
    """How traffic is disturbed at present; only the proxy's thread touches it."""

    def __init__(self) -> None:
        self.refusing = False
        self.stalled: set[Way] = set()
        self.delays: dict[Way, float] = {}
        self.flips: dict[Way, int] = {}
        self.rates: dict[Way, float] = {}
        self.trap: Trap | None = None

    def sprung(self, connection: int, way: Way, octets: bytes) -> tuple[Act, int] | None:
        """Return what is to be done after how many of the octets, if the trap springs."""
        trap = self.trap
        if trap is None or (passing := trap.look(connection, way, octets)) is None:
            return None
        self.trap = None
        if trap.act is Act.HOLD:
            self.stalled.update(Way)
        trap.sprung.set()
        return trap.act, passing

    def flipped(self, way: Way, octets: bytes) -> bytes:
        """Return the octets, one bit flipped if it is time."""
        after = self.flips.pop(way, None)
        if after is None:
            return octets
        if after >= len(octets):
            self.flips[way] = after - len(octets)
            return octets
        changed = bytearray(octets)
        changed[after] ^= 1
        return bytes(changed)


class _Reset(Exception):
    """The connection is to be reset now."""


class _Late(NamedTuple):
    """Octets, and the moment from which they may be passed on."""

    due: float
    octets: bytes


class _Pipe:
    """One way of one connection."""

    def __init__(
        self,
        way: Way,
        connection: _Connection,
        source: socket.socket,
        sink: socket.socket,
        faults: _Faults,
        record: list[bytes],
    ) -> None:
        self.source = source
        self.sink = sink
        self.shut = False
        self._ending = False
        self._way = way
        self._connection = connection
        self._faults = faults
        self._record = record
        self._queue: deque[_Late] = deque()
        self._queued = 0
        self._heard_all = False

    @property
    def over(self) -> bool:
        """Whether nothing comes any more, and the sink has been told."""
        return self._heard_all and self.shut

    @property
    def due(self) -> float | None:
        """When the next octets may be passed on; None if there are none, or it is stalled."""
        if self._queue and self._way not in self._faults.stalled:
            return self._queue[0].due
        return None

    @property
    def reads(self) -> bool:
        """Whether it takes more octets now."""
        stalled = self._way in self._faults.stalled
        return not (self._heard_all or stalled or self._queued >= QUEUE_MAX)

    def read(self) -> None:
        octets = self.source.recv(CHUNK)
        if not octets:
            self._heard_all = True
            self._shut_if_done()
        elif not self._ending:
            self._record.append(octets)
            sprung = self._faults.sprung(self._connection.number, self._way, octets)
            if sprung is None:
                self._put(octets)
            else:
                self._spring(octets, *sprung)

    def write(self) -> None:
        if not self._queue:
            return  # a trap has sprung in this same turn
        due, octets = self._queue[0]
        rate = self._faults.rates.get(self._way)
        sent = self.sink.send(octets[: max(1, int(rate * STEP_S))] if rate else octets)
        if rate:
            due = time.monotonic() + sent / rate
        if sent < len(octets):
            self._queue[0] = _Late(due, octets[sent:])
        else:
            self._queue.popleft()
            if rate and self._queue:
                self._queue[0] = _Late(max(due, self._queue[0].due), self._queue[0].octets)
        self._queued -= sent
        self._shut_if_done()

    def end(self) -> None:
        """Pass nothing on any more but what has come already, and say so with FIN."""
        self._ending = True
        self._shut_if_done()

    def _put(self, octets: bytes) -> None:
        due = time.monotonic() + self._faults.delays.get(self._way, 0.0)
        self._queue.append(_Late(due, self._faults.flipped(self._way, octets)))
        self._queued += len(octets)

    def _spring(self, octets: bytes, act: Act, passing: int) -> None:
        if act is Act.FLIP:
            changed = bytearray(octets)
            changed[passing] ^= 1
            self._put(bytes(changed))
            return
        if passing:
            self._put(octets[:passing])
        with contextlib.suppress(BlockingIOError):
            while self._queue:
                self.write()
        if act is Act.RST:
            raise _Reset
        if act is Act.FIN:
            self._connection.finish()
        else:
            self._put(octets[passing:])

    def _shut_if_done(self) -> None:
        over = self._heard_all or self._ending
        if over and not self._queue and not self.shut:
            self.sink.shutdown(socket.SHUT_WR)
            self.shut = True


class _Connection:
    """The two sockets of one connection, and both ways between them."""

    def __init__(
        self,
        number: int,
        client: socket.socket,
        target: socket.socket,
        faults: _Faults,
        record: dict[Way, list[bytes]],
    ) -> None:
        self.number = number
        self._sockets = (client, target)
        for each in self._sockets:
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pipes = (
            _Pipe(Way.THERE, self, client, target, faults, record[Way.THERE]),
            _Pipe(Way.BACK, self, target, client, faults, record[Way.BACK]),
        )
        self.open = True

    @property
    def finished(self) -> bool:
        """Whether both sides have said all and it was passed on."""
        return all(pipe.over for pipe in self.pipes)

    def finish(self) -> None:
        """End both ways with FIN."""
        for pipe in self.pipes:
            pipe.end()

    def watch(self, selector: selectors.BaseSelector, moment: float) -> None:
        """Have the selector look for what this connection can do now."""
        for each in self._sockets:
            events = self._wanted(each, moment)
            known = selector.get_map().get(each)
            if known is None and events:
                selector.register(each, events, self)
            elif known is not None and not events:
                selector.unregister(each)
            elif known is not None and known.events != events:
                selector.modify(each, events, self)

    def forget(self, selector: selectors.BaseSelector) -> None:
        for each in self._sockets:
            if each in selector.get_map():
                selector.unregister(each)

    def serve(self, ready: socket.socket, events: int) -> None:
        """Do what the selector found possible."""
        for pipe in self.pipes:
            if pipe.source is ready and events & selectors.EVENT_READ:
                pipe.read()
            if pipe.sink is ready and events & selectors.EVENT_WRITE:
                pipe.write()

    def close(self) -> None:
        self.open = False
        for each in self._sockets:
            each.close()

    def reset(self) -> None:
        self.open = False
        for each in self._sockets:
            _reset(each)

    def _wanted(self, which: socket.socket, moment: float) -> int:
        events = 0
        for pipe in self.pipes:
            if pipe.source is which and pipe.reads:
                events |= selectors.EVENT_READ
            if pipe.sink is which and pipe.due is not None and pipe.due <= moment:
                events |= selectors.EVENT_WRITE
        return events


def _reset(which: socket.socket) -> None:
    which.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    which.close()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
