"""The life of one link: who may send which frame when.

A table for each role (SPEC section 6.2), and a machine that walks it. The
machine sees every frame that comes or goes, and knows which questions about
older conversations are open; it holds no items, numbers nothing and knows no
time.
"""

from enum import IntEnum, auto

from landline_protocol import VERSION
from landline_protocol.errors import FailCode, LocalProtocolError, RemoteProtocolError
from landline_protocol.frames import (
    KINDS,
    Ask,
    ControlFrame,
    Fail,
    Frame,
    Hello,
    Kind,
    Refuse,
    Stored,
    decode,
    encode,
)
from landline_protocol.limits import ASKS_MAX, SAY_MAX


class Role(IntEnum):
    """The two ends of a conversation and of each of its links.

    Who called dials every link. The value opens the digest of what this end
    says (SPEC section 6.6).
    """

    CALLER = 0
    CALLEE = 1

    @property
    def other(self) -> "Role":
        """The role at the far end."""
        return Role.CALLEE if self is Role.CALLER else Role.CALLER


class LinkState(IntEnum):
    """Where a link stands."""

    START = auto()
    GREETING = auto()
    RINGING = auto()
    OPEN = auto()
    CLOSED = auto()
    ERROR = auto()


class Direction(IntEnum):
    """Which way a frame goes, seen from this end."""

    SENT = auto()
    RECEIVED = auto()


Move = tuple[Direction, int]
Table = dict[LinkState, dict[Move, LinkState]]

_SENT, _RECEIVED = Direction.SENT, Direction.RECEIVED
_OPEN: dict[Move, LinkState] = {
    (_SENT, Kind.BATCH): LinkState.OPEN,
    (_SENT, Kind.ACK): LinkState.OPEN,
    (_SENT, Kind.ASK): LinkState.OPEN,
    (_SENT, Kind.STORED): LinkState.OPEN,
    (_SENT, Kind.END): LinkState.OPEN,
    (_SENT, Kind.FAIL): LinkState.CLOSED,
    (_RECEIVED, Kind.BATCH): LinkState.OPEN,
    (_RECEIVED, Kind.ACK): LinkState.OPEN,
    (_RECEIVED, Kind.ASK): LinkState.OPEN,
    (_RECEIVED, Kind.STORED): LinkState.OPEN,
    (_RECEIVED, Kind.END): LinkState.OPEN,
    (_RECEIVED, Kind.FAIL): LinkState.CLOSED,
}

TABLES: dict[Role, Table] = {
    Role.CALLER: {
        LinkState.START: {
            (_SENT, Kind.HELLO): LinkState.GREETING,
            (_RECEIVED, Kind.REFUSE): LinkState.CLOSED,
        },
        LinkState.GREETING: {
            (_RECEIVED, Kind.WELCOME): LinkState.RINGING,
            (_RECEIVED, Kind.REFUSE): LinkState.CLOSED,
            (_SENT, Kind.FAIL): LinkState.CLOSED,
        },
        LinkState.RINGING: {
            (_RECEIVED, Kind.ACCEPT): LinkState.OPEN,
            (_RECEIVED, Kind.DECLINE): LinkState.CLOSED,
            (_RECEIVED, Kind.FAIL): LinkState.CLOSED,
            (_SENT, Kind.FAIL): LinkState.CLOSED,
        },
        LinkState.OPEN: _OPEN,
        LinkState.CLOSED: {},
        LinkState.ERROR: {},
    },
    Role.CALLEE: {
        LinkState.START: {
            (_RECEIVED, Kind.HELLO): LinkState.GREETING,
            (_SENT, Kind.REFUSE): LinkState.CLOSED,
        },
        LinkState.GREETING: {
            (_SENT, Kind.WELCOME): LinkState.RINGING,
            (_SENT, Kind.REFUSE): LinkState.CLOSED,
            (_RECEIVED, Kind.FAIL): LinkState.CLOSED,
        },
        LinkState.RINGING: {
            (_SENT, Kind.ACCEPT): LinkState.OPEN,
            (_SENT, Kind.DECLINE): LinkState.CLOSED,
            (_SENT, Kind.FAIL): LinkState.CLOSED,
            (_RECEIVED, Kind.FAIL): LinkState.CLOSED,
        },
        LinkState.OPEN: _OPEN,
        LinkState.CLOSED: {},
        LinkState.ERROR: {},
    },
}


class Link:
    """One end of one link.

    After a ``RemoteProtocolError`` the state is ERROR for good; ``farewell``
    returns what the other side may still be told.
    """

    def __init__(self, role: Role) -> None:
        self.role = role
        self.state = LinkState.START
        self._last = LinkState.START
        self._unanswered: set[bytes] = set()
        self._asks_left = ASKS_MAX

    @property
    def settled(self) -> bool:
        """Whether every ``ask`` of this end has its answer, so that it may send items."""
        return not self._unanswered

    def send(self, frame: ControlFrame) -> bytes:
        """Note a frame that leaves and return its octets.

        Raises:
            LocalProtocolError: not in this state.
        """
        octets = self.forward(encode(frame))
        if type(frame) is Ask:
            self._unanswered.add(frame.conversation)
        return octets

    def forward(self, octets: bytes) -> bytes:
        """Note an encoded frame that leaves and return it unchanged.

        It is no ``ask``; those go through ``send``.

        Raises:
            LocalProtocolError: not in this state, or a batch before all asks are answered.
        """
        if self._unanswered and octets[0] == Kind.BATCH:
            raise LocalProtocolError("a batch while asks are unanswered")
        self._move(_SENT, octets[0])
        return octets

    def receive(self, octets: bytes) -> Frame:
        """Read a frame that has come and note it.

        Raises:
            RemoteProtocolError: malformed, or not in this state.
            LocalProtocolError: this link has already failed.
        """
        if self.state is LinkState.ERROR:
            raise LocalProtocolError("this link has failed")
        try:
            frame = decode(octets)
            self._move(_RECEIVED, octets[0])
            self._settle(frame)
        except RemoteProtocolError:
            self.state = LinkState.ERROR
            raise
        return frame

    def farewell(self, code: FailCode, say: str) -> bytes | None:
        """Return the last frame of this end, a refuse or a fail, and end the link.

        None when nothing may be said: before the hello, or after the end.
        """
        moves = TABLES[self.role][self._last]
        self._last = LinkState.CLOSED
        if self.state is not LinkState.ERROR:
            self.state = LinkState.CLOSED
        for frame in (Fail(code, say[:SAY_MAX]), Refuse(code, say[:SAY_MAX])):
            if (_SENT, KINDS[type(frame)]) in moves:
                return encode(frame)
        return None

    def _settle(self, frame: Frame) -> None:
        if type(frame) is Ask:
            self._asks_left -= 1
            if self._asks_left < 0:
                raise RemoteProtocolError(FailCode.UNEXPECTED, f"more than {ASKS_MAX} asks")
        elif type(frame) is Stored:
            if frame.conversation not in self._unanswered:
                raise RemoteProtocolError(FailCode.UNEXPECTED, "an answer that nobody asked for")
            self._unanswered.remove(frame.conversation)

    def _move(self, direction: Direction, kind: int) -> None:
        following = TABLES[self.role][self.state].get((direction, kind))
        if following is not None:
            self.state = self._last = following
            return
        text = (
            f"{Kind(kind).name.lower()} {direction.name.lower()} in state {self.state.name.lower()}"
        )
        if direction is _SENT:
            raise LocalProtocolError(text)
        raise RemoteProtocolError(FailCode.UNEXPECTED, text)


def choose_version(hello: Hello) -> int:
    """Return the highest version that both sides speak.

    Raises:
        RemoteProtocolError: ``version``; there is none.
    """
    lowest, highest = hello.versions
    if not lowest <= VERSION <= highest:
        raise RemoteProtocolError(
            FailCode.VERSION,
            f"this peer speaks Landline protocol {VERSION}, the caller {lowest} to {highest}",
        )
    return VERSION
