"""What two peers say to each other on a link, as octets and back.

One frame is one ZeroMQ message of one part: an octet that names the kind,
then a MessagePack body (SPEC section 6.1). Whatever octets arrive, ``decode``
returns a frame or raises ``RemoteProtocolError``. Which frame may come when
is the business of ``link``.
"""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from landline_protocol.errors import FailCode, RemoteProtocolError
from landline_protocol.limits import (
    AT_MAX_MS,
    BATCH_ITEMS_MAX,
    BATCH_MAX,
    CONVERSATION_ID_OCTETS,
    DIGEST_OCTETS,
    LINK_FRAME_MAX,
    NUMBER_MAX,
    SAY_MAX,
    TEXT_MAX,
    WINDOW_MAX,
    WINDOW_MIN,
)
from landline_protocol.messages import Name


class Kind(IntEnum):
    """The first octet of a frame."""

    HELLO = 1
    WELCOME = 2
    REFUSE = 3
    ACCEPT = 4
    DECLINE = 5
    BATCH = 6
    ACK = 7
    FAIL = 8
    ASK = 9
    STORED = 10
    END = 11


Conversation = Annotated[
    bytes, Meta(min_length=CONVERSATION_ID_OCTETS, max_length=CONVERSATION_ID_OCTETS)
]
Version = Annotated[int, Meta(ge=1, le=65_535)]
Number = Annotated[int, Meta(ge=1, le=NUMBER_MAX)]
Count = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
Octets = Annotated[int, Meta(ge=0, le=WINDOW_MAX)]
Window = Annotated[int, Meta(ge=WINDOW_MIN, le=WINDOW_MAX)]
At = Annotated[int, Meta(ge=0, le=AT_MAX_MS)]
Digest = Annotated[bytes, Meta(min_length=DIGEST_OCTETS, max_length=DIGEST_OCTETS)]
Code = Annotated[str, Meta(min_length=1, max_length=32)]
Say = Annotated[str, Meta(max_length=SAY_MAX)]


class Text(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1, gc=False):
    """A message: ``at`` is the sender's clock in milliseconds since 1970 (UTC).

    ``text`` has up to ``TEXT_MAX`` octets of UTF-8.
    """

    at: At
    text: str


class Bye(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """The last item of a direction, with the digests of both.

    ``said`` covers every item of this direction before the bye; ``heard``
    covers the ``heard_number`` items that came the other way so far.
    """

    at: At
    said: Digest
    heard_number: Count
    heard: Digest


Item = Text | Bye


class Chunk(NamedTuple):
    """A run of items of one direction: what a batch carries, and a row of a journal holds.

    ``octets`` are those of the ``count`` items as they cross the wire, without
    the array's head: what the digest covers.
    """

    first: int
    count: int  # type: ignore[assignment]  # of a tuple it is a method, which nobody needs here
    octets: bytes

    @property
    def last(self) -> int:
        """The number of the last item."""
        return self.first + self.count - 1


class Hello(Struct, frozen=True, omit_defaults=True):
    """The caller's first frame: who calls whom, about which conversation.

    ``versions`` is the lowest and the highest version that the caller speaks,
    ``resume`` the number of the item it expects next, ``window`` how many
    octets of items it takes beyond what it has acknowledged. Without ``ring``
    it is a delivery: the callee's program takes it and asks nobody.
    """

    versions: tuple[Version, Version]
    conversation: Conversation
    caller: Name
    callee: Name
    resume: Number
    window: Window
    ring: bool = True


class Welcome(Struct, frozen=True):
    """The callee is there and rings; the fields mean what they mean in hello."""

    version: Version
    conversation: Conversation
    resume: Number
    window: Window


class Refuse(Struct, frozen=True):
    """The callee's program will not have this link."""

    code: Code
    say: Say


class Accept(Struct, frozen=True):
    """The callee has taken the call."""


class Decline(Struct, frozen=True):
    """The callee has not taken the call: ``declined`` or ``no-answer``."""

    code: Code
    say: Say


class Batch(Struct, frozen=True):
    """Items numbered ``first``, ``first`` + 1 and so on.

    ``octets`` are the items as they crossed the wire, without the array's
    head: what the digest covers.
    """

    first: int
    items: list[Item]
    octets: bytes


class Ack(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Every item up to ``upto`` is stored; ``window`` more octets are welcome."""

    upto: Count
    window: Octets


class Fail(Struct, frozen=True):
    """The other side broke the protocol; the link is over."""

    code: Code
    say: Say


class Ask(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How much of a conversation that is over has the other side stored?"""

    conversation: Conversation


class Stored(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Of that conversation every item up to ``upto``; it does not go on."""

    conversation: Conversation
    upto: Count


class End(Struct, frozen=True):
    """This side has finished: it has nothing more to say, to hear or to acknowledge."""


ControlFrame = Hello | Welcome | Refuse | Accept | Decline | Ack | Fail | Ask | Stored | End
Frame = ControlFrame | Batch

KINDS: dict[type[ControlFrame], Kind] = {
    Hello: Kind.HELLO,
    Welcome: Kind.WELCOME,
    Refuse: Kind.REFUSE,
    Accept: Kind.ACCEPT,
    Decline: Kind.DECLINE,
    Ack: Kind.ACK,
    Fail: Kind.FAIL,
    Ask: Kind.ASK,
    Stored: Kind.STORED,
    End: Kind.END,
}

_encoder = msgspec.msgpack.Encoder()
_decoders = {int(kind): msgspec.msgpack.Decoder(frame) for frame, kind in KINDS.items()}
_items = msgspec.msgpack.Decoder(Annotated[list[Item], Meta(min_length=1)])
_raw_items = msgspec.msgpack.Decoder(list[msgspec.Raw])
_BATCH = int(Kind.BATCH)
_BATCH_HEAD = struct.Struct(">BQ")
# How long the head of a MessagePack array is, by its first octet (fixarray,
# array 16); array 32 is never needed for BATCH_ITEMS_MAX items, thus malformed.
_ARRAY_HEAD = {**dict.fromkeys(range(0x90, 0xA0), 1), 0xDC: 3}


def encode(frame: ControlFrame) -> bytes:
    """Return the octets of any frame but a batch."""
    return bytes((KINDS[type(frame)],)) + _encoder.encode(frame)


def encode_item(item: Item) -> bytes:
    """Return one item of a batch in its shortest form."""
    return _encoder.encode(item)


def encode_texts(texts: Sequence[Text]) -> bytes:
    """Return many texts in their shortest form, one behind the other."""
    return _encoder.encode(texts)[_head_size(len(texts)) :]


def encode_batch(chunk: Chunk) -> bytes:
    """Return the octets of the batch that carries a chunk."""
    first, count, octets = chunk
    return _BATCH_HEAD.pack(_BATCH, first) + _array_head(count) + octets


def decode(octets: bytes) -> Frame:
    """Read one frame.

    Raises:
        RemoteProtocolError: ``malformed``, or ``too-large`` for a frame, a
            batch or a text beyond its limit.
    """
    if len(octets) > LINK_FRAME_MAX:
        raise RemoteProtocolError(FailCode.TOO_LARGE, "the frame is too large")
    try:
        kind = octets[0]
        return _decode_batch(octets) if kind == _BATCH else _decoders[kind].decode(octets[1:])
    except RemoteProtocolError:
        raise
    except (msgspec.MsgspecError, ValueError, LookupError, struct.error, RecursionError) as error:
        raise RemoteProtocolError(FailCode.MALFORMED, f"malformed frame: {error}"[:200]) from None


def decode_items(octets: bytes, count: int) -> list[Item]:
    """Return the ``count`` items that stand one behind the other in ``octets``.

    The octets are those of a chunk, and have been checked before.
    """
    items: list[Item] = _items.decode(_array_head(count) + octets)
    return items


def split_items(octets: bytes, count: int) -> list[bytes]:
    """Return the octets of each of ``count`` items, which have been checked before."""
    return [bytes(item) for item in _raw_items.decode(_array_head(count) + octets)]


def item_sizes(octets: bytes, count: int) -> list[int]:
    """Return how many octets each of ``count`` items has, as ``split_items``."""
    return list(map(len, _raw_items.decode(_array_head(count) + octets)))


def _array_head(count: int) -> bytes:
    if count < 16:
        return bytes((0x90 | count,))
    return (b"\xdc" if count < 65_536 else b"\xdd") + count.to_bytes(_head_size(count) - 1, "big")


def _head_size(count: int) -> int:
    return 1 if count < 16 else 3 if count < 65_536 else 5


def _decode_batch(octets: bytes) -> Batch:
    _, first = _BATCH_HEAD.unpack_from(octets)
    body = octets[_BATCH_HEAD.size :]
    head = _ARRAY_HEAD[body[0]]
    items = _items.decode(body)
    count, size = len(items), len(body) - head
    if count > BATCH_ITEMS_MAX or size > BATCH_MAX or _one_too_long(items, count, size):
        raise RemoteProtocolError(FailCode.TOO_LARGE, "the batch or a text in it is too large")
    if not 1 <= first <= NUMBER_MAX - count:
        raise RemoteProtocolError(FailCode.MALFORMED, "the number is out of range")
    return Batch(first, items, body[head:])


def _one_too_long(items: list[Item], count: int, size: int) -> bool:
    # No item has less than four octets, so most batches have no room for such a text.
    return size - 4 * (count - 1) > TEXT_MAX and any(map(_too_long, items))


def _too_long(item: Item) -> bool:
    # A character has at most four octets: most texts need no second look.
    return (
        type(item) is Text and len(item.text) * 4 > TEXT_MAX and len(item.text.encode()) > TEXT_MAX
    )
