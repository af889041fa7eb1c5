"""The life of one PAIR socket: frames out, frames in, and what its monitor says.

Belongs to the receiver's thread. It keeps to the link's table and knows who
knocked; what a frame means for the conversation is decided elsewhere.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from enum import Enum, auto

import zmq

from landline.device import DeviceKey
from landline.ends import Address, Dial, Knocker, Listen
from landline.monitor import MonitorEvent
from landline.pair import Pair, addresses, received
from landline_protocol.errors import RemoteProtocolError
from landline_protocol.frames import ControlFrame, Frame, Kind
from landline_protocol.limits import WINDOW
from landline_protocol.link import Link as Machine
from landline_protocol.link import LinkState

FLOOD = 4 * WINDOW
"""How many octets may have come that make no frame: more than all that may be on the way."""

# What a frame takes on the wire besides its octets, and a connection without frames in a second.
_FRAME_OCTETS = 64
_REST_OCTETS = 65_536

_HELLO = bytes((Kind.HELLO,))
_OF_OPEN_LINKS = frozenset(
    bytes((kind,)) for kind in (Kind.BATCH, Kind.ACK, Kind.ASK, Kind.STORED, Kind.END)
)


class Happening(Enum):
    """What the monitor tells of a link."""

    CONNECTED = auto()
    """The handshake is done; at a callee it may be somebody's second one."""
    REFUSED = auto()
    """The other side's gate lets nobody with this key in."""
    UNREACHABLE = auto()
    """Nobody answers, or nobody who speaks ZMTP with the right key."""
    LOST = auto()
    """The connection was there and has gone."""


class Overtaken(Exception):
    """What has come belongs to another link: this one is dead, or not yet begun.

    A listening PAIR whose connection breaks takes the next one by itself, and
    goes on with it until its owner hears of that.
    """


class Garbled(Exception):
    """What has come was changed on the way: this link is good for nothing any more.

    That a frame has more parts is the one thing that ZMTP says outside of the
    encryption and libzmq believes.
    """


class Link:
    """One PAIR socket; ``sockets`` closes it.

    ``goes_on`` says that the conversation had a link before this one.

    Raises:
        zmq.ZMQError: the context has ended.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        key: DeviceKey,
        end: Dial | Listen,
        sockets: ExitStack,
        *,
        goes_on: bool = False,
    ) -> None:
        self._end = end
        self._goes_on = goes_on
        self._machine = Machine(end.role)
        self._pair = Pair(context, key, sockets)
        self.socket = self._pair.socket
        self.monitor = self._pair.monitor
        self.knocker = Knocker("", b"")
        self.here = self.there = "?"
        self._unsent: deque[bytes] = deque()
        self._spoke = self._heard = False
        self._read = 0
        self._came: dict[int, int] = {}
        self._unread: dict[int, int] = {}
        self._greeted = False
        self._connections: set[int] = set()
        self._connection: int | None = None

    @property
    def state(self) -> LinkState:
        """Where the link stands in its table."""
        return self._machine.state

    @property
    def stuck(self) -> bool:
        """Whether frames wait for the transport."""
        return bool(self._unsent)

    def connect(self, address: Address, key: bytes) -> bool:
        """Set out for the callee; false when its address is none that libzmq takes."""
        return self._pair.connect(address, key)

    def bind(self, port: int) -> bool:
        """Listen on ``port``; false when it is taken."""
        return self._pair.bind(port)

    def bind_any(self, port: int) -> int:
        """Listen on ``port``, or on any when it is taken, and return which.

        Raises:
            HomeUnusable: no port can be listened on.
        """
        return self._pair.bind_any(port)

    # -- frames --------------------------------------------------------------

    def receive(self) -> Frame | None:
        """Return the next frame that has come; ``None`` when there is none to be read.

        Raises:
            RemoteProtocolError: it may not come now, or is malformed.
            Garbled: it has several parts.
            Overtaken: it is for another link of the conversation.
        """
        try:
            part = self.socket.recv(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        self._heard = True
        octets = part.bytes
        self._read += len(octets) + _FRAME_OCTETS
        if self.state is LinkState.CLOSED:
            return None
        if part.more:
            raise Garbled
        if not self._greeted:
            self._note_knocker(part)
        if self._strayed(octets):
            raise Overtaken
        return self._machine.receive(octets)

    def send(self, frame: ControlFrame) -> None:
        """Send a frame, at once or as soon as the transport takes it."""
        self._put(self._machine.send(frame))

    def forward(self, octets: bytes) -> None:
        """Send an encoded frame."""
        self._put(self._machine.forward(octets))

    def farewell(self, error: RemoteProtocolError) -> None:
        """Tell the other side what it did wrong, as far as it can be told."""
        octets = self._machine.farewell(error.code, str(error))
        if octets is not None:
            self._put(octets)

    def flush(self) -> None:
        """Give the transport what it takes."""
        try:
            while self._unsent:
                self.socket.send(self._unsent[0], zmq.NOBLOCK)
                self._unsent.popleft()
        except zmq.Again:
            return

    def beat(self) -> tuple[bool, bool]:
        """Return whether anything was sent, and whether anything came, since the last beat."""
        since = self._spoke or self.stuck, self._heard
        self._spoke = self._heard = False
        return since

    def flooded(self) -> bool:
        """Return whether much more came than was read; to be asked once a second.

        A message of parts that has no end is shown by libzmq to nobody, and kept by it.
        """
        read, self._read = self._read, 0
        for connection in self._connections:
            came = received(connection)
            fresh = came - self._came.get(connection, 0) - read - _REST_OCTETS
            self._came[connection] = came
            self._unread[connection] = max(0, self._unread.get(connection, 0) + fresh)
        return any(self._unread[connection] > FLOOD for connection in self._connections)

    def _put(self, octets: bytes) -> None:
        self._spoke = True
        self._unsent.append(octets)
        self.flush()

    def _strayed(self, octets: bytes) -> bool:
        """Whether a frame is the hello of a later link, or a word of an earlier one."""
        state = self.state
        if isinstance(self._end, Listen):
            return state is not LinkState.START and octets[:1] == _HELLO
        unwelcomed = state in (LinkState.START, LinkState.GREETING)
        return self._goes_on and unwelcomed and octets[:1] in _OF_OPEN_LINKS

    def _note_knocker(self, first: zmq.Frame) -> None:
        """Keep who sent the first frame, by the gate's word, and on which connection."""
        self._greeted = True
        if isinstance(self._end, Listen):
            self.knocker = Knocker.parse(str(first.get("User-Id")))
            self._connection = int(first.get(zmq.SRCFD))

    # -- what the monitor says -----------------------------------------------

    def happenings(self) -> Iterator[Happening]:
        """Yield what has happened to the connection since the last time."""
        for event in self._pair.events():
            happening = (
                self._of_caller(event) if isinstance(self._end, Dial) else self._of_callee(event)
            )
            if happening is not None:
                yield happening
        # Strangers come and go on the same port, and a descriptor is used again:
        # only that the caller's is open now tells.
        if self._connection is not None and self._connection not in self._connections:
            yield Happening.LOST

    def _of_caller(self, event: MonitorEvent) -> Happening | None:
        match event.event:
            case zmq.EVENT_CONNECTED:
                self._connections.add(event.value)
                self.here, self.there = addresses(event.value)
                return None
            case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return Happening.CONNECTED
            case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                return Happening.REFUSED
            case zmq.EVENT_DISCONNECTED if self.state is not LinkState.START:
                return Happening.LOST
            case _:
                return Happening.UNREACHABLE

    def _of_callee(self, event: MonitorEvent) -> Happening | None:
        match event.event:
            case zmq.EVENT_ACCEPTED:
                self._connections.add(event.value)
            case zmq.EVENT_DISCONNECTED:
                self._connections.discard(event.value)
            case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return Happening.CONNECTED
        return None
