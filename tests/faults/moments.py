"""The moments of a conversation, as one sees them who reads the wire and knows no key.

ZMTP frames are told apart by their place and their size alone: the first message of
each way is hello or welcome; after that an ack is small, a bye is a little larger, and
a batch of texts larger than that if every text has more than `TEXT_LEAST` octets.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from tests.support.proxy import Act, Trap, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GREETING = 64
HANDSHAKE = 2
"""How many commands each side sends for CURVE before its first message."""
LONG = 0x02
TEXT_LEAST = 240


class Sort(Enum):
    """What a frame is."""

    HANDSHAKE = auto()
    FIRST = auto()
    OTHER = auto()
    ACK = auto()
    BYE = auto()
    BATCH = auto()
    END = auto()


class Seen(NamedTuple):
    """A frame that begins: whose it is, what it is, and how many of the sort there were."""

    way: Way
    sort: Sort
    nth: int
    """The number of this one among those of its way and sort, from 1."""
    byes: int
    """How many byes have begun, of both ways, this one too."""


class Moment(Enum):
    """When it happens; `side` in what follows is whose frame is meant."""

    BEFORE_HELLO = "before hello"
    BEFORE_WELCOME = "between hello and welcome"
    IN_A_BATCH = "in the middle of a batch"
    BEFORE_AN_ACK = "before an acknowledgement"
    BEFORE_THE_BYES = "before the byes"
    BETWEEN_THE_BYES = "between the byes"
    AFTER_THE_BYES = "after the byes"
    BEFORE_AN_END = "before an end"

    @property
    def within(self) -> bool:
        """Whether half of the frame passes."""
        return self is Moment.IN_A_BATCH


_IS_IT: dict[Moment, Callable[[Seen, Way], bool]] = {
    Moment.BEFORE_HELLO: lambda seen, _: seen.sort is Sort.FIRST and seen.way is Way.THERE,
    Moment.BEFORE_WELCOME: lambda seen, _: seen.sort is Sort.FIRST and seen.way is Way.BACK,
    Moment.IN_A_BATCH: lambda seen, way: (seen.way, *seen[1:3]) == (way, Sort.BATCH, 2),
    Moment.BEFORE_AN_ACK: lambda seen, way: (seen.way, *seen[1:3]) == (way, Sort.ACK, 1),
    Moment.BEFORE_THE_BYES: lambda seen, _: seen.sort is Sort.BYE and seen.byes == 1,
    Moment.BETWEEN_THE_BYES: lambda seen, _: seen.sort is Sort.BYE and seen.byes == 2,
    Moment.AFTER_THE_BYES: lambda seen, _: seen.sort is Sort.ACK and seen.byes == 2,
    Moment.BEFORE_AN_END: lambda seen, way: (seen.way, seen.sort) == (way, Sort.END),
}


class At(Trap):
    """Springs at a moment of the first conversation that passes, once."""

    def __init__(self, act: Act, moment: Moment, way: Way) -> None:
        super().__init__(act)
        self._moment = moment
        self._way = way
        self._frames = {each: _Frames() for each in Way}
        self._counts: dict[tuple[Way, Sort], int] = {}
        self._byes = 0
        self._fuse: dict[Way, int] = {}

    def look(self, connection: int, way: Way, octets: bytes) -> int | None:
        if connection != 1:
            return None
        if not self._fuse:
            for begin, body, size in self._frames[way].read(octets):
                if _IS_IT[self._moment](self._seen(way, size), self._way):
                    self._fuse[way] = body + size // 2 if self._moment.within else begin
                    break
        if way not in self._fuse:
            return None
        if self._fuse[way] < len(octets):
            return self._fuse[way]
        self._fuse[way] -= len(octets)
        return None

    def _seen(self, way: Way, size: int) -> Seen:
        sort = self._sort(way, size)
        nth = self._counts[way, sort] = self._counts.get((way, sort), 0) + 1
        self._byes += sort is Sort.BYE
        return Seen(way, sort, nth, self._byes)

    def _sort(self, way: Way, size: int) -> Sort:
        if self._counts.get((way, Sort.HANDSHAKE), 0) < HANDSHAKE:
            return Sort.HANDSHAKE
        if (way, Sort.FIRST) not in self._counts:
            return Sort.FIRST
        # A heartbeat has 40 octets and its answer 38, accept and end have 34 or 35.
        if size <= 37 and self._byes == 2:
            return Sort.END
        if size <= 40:
            return Sort.OTHER
        if size <= 64:
            return Sort.ACK
        return Sort.BYE if size <= TEXT_LEAST else Sort.BATCH


class _Frames:
    """Where the frames begin in what one side sends."""

    def __init__(self) -> None:
        self._skip = GREETING
        self._head = bytearray()

    def read(self, octets: bytes) -> Iterator[tuple[int, int, int]]:
        """Yield, of each frame whose head ends in these octets: its begin, its body, its size."""
        at = 0
        while at < len(octets):
            if self._skip:
                step = min(self._skip, len(octets) - at)
                self._skip -= step
                at += step
                continue
            self._head.append(octets[at])
            at += 1
            if len(self._head) == (9 if self._head[0] & LONG else 2):
                self._skip = int.from_bytes(self._head[1:])
                yield max(0, at - len(self._head)), at, self._skip
                self._head.clear()
