"""What the journal is told and tells: values, and how a chunk's texts are read.

Nothing here touches the file.
"""

from enum import IntEnum
from typing import NamedTuple

import msgspec

from landline_protocol.frames import Bye, Item, Text

# An item that was forgotten is nil: the others keep their numbers.
_items = msgspec.msgpack.Decoder(list[Item | None])
_NIL = b"\xc0"


class Progress(IntEnum):
    """How far a conversation is: what is over will not be resumed by this side."""

    IN_PROGRESS = 0
    FINISHED = 1
    OVER = 2


class Beginning(NamedTuple):
    """A conversation that begins: ``caller`` says whether this side called.

    ``key`` is the other's device key, ``host`` and ``port`` are where the callee is.
    """

    uuid: bytes
    other: str
    key: bytes
    caller: bool
    host: str
    port: int
    at_ms: int


class KeptConversation(NamedTuple):
    """A conversation as the journal knows it.

    ``confirmed`` counts this side's items that the other has stored,
    ``heard`` the other's that are stored here. ``at_ms`` is when it began,
    ``active_ms`` when something of it was last stored.
    """

    id: int
    uuid: bytes
    other: str
    key: bytes
    caller: bool
    host: str
    port: int
    at_ms: int
    active_ms: int
    confirmed: int
    heard: int
    state: Progress


class Posted(NamedTuple):
    """A text of the outbox."""

    id: int
    at_ms: int
    text: str


class Pending(NamedTuple):
    """A text of which it is not known that ``other`` has stored it."""

    other: str
    at_ms: int
    text: str


class Record(NamedTuple):
    """A text as it was stored; ``delivered`` is true of all that was heard here.

    ``number`` is ``None`` while the text waits in the outbox.
    """

    other: str
    mine: bool
    number: int | None
    at_ms: int
    text: str
    delivered: bool


def items_of(octets: bytes, count: int) -> list[Item | None]:
    """Return the items of a chunk; ``None`` stands for a forgotten one."""
    return _items.decode(b"\xdc" + count.to_bytes(2, "big") + octets)


def texts_of(first: int, octets: bytes, count: int) -> list[tuple[int, Text]]:
    """Return the texts of a chunk with their numbers."""
    return [
        (number, item)
        for number, item in enumerate(items_of(octets, count), first)
        if type(item) is Text
    ]


def octets_of(items: list[Item | None]) -> bytes:
    """Return items as they are kept."""
    return b"".join(_NIL if item is None else msgspec.msgpack.encode(item) for item in items)


def last_text_of(first: int, octets: bytes, count: int) -> int:
    """Return the number of the last text that a direction has which ends in this chunk."""
    last = items_of(octets, count)[-1]
    return first + count - 1 - (type(last) is Bye)
