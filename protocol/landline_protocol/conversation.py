"""What each direction of a conversation knows: numbers, windows, digests, byes.

A conversation has two directions that share nothing, so that a thread can own
each: ``Outbound`` numbers what is said and keeps what is not yet confirmed,
``Inbound`` checks what is heard, ``Receipts`` says what is stored (SPEC
sections 6.4 to 6.6). The legal moves of both directions stand in two tables.
Nothing here knows about links, time or storage.
"""

import hashlib
from collections import deque
from enum import IntEnum, auto

from landline_protocol.errors import FailCode, LocalProtocolError, RemoteProtocolError
from landline_protocol.frames import (
    Ack,
    Batch,
    Bye,
    Item,
    Text,
    encode_batch,
    encode_item,
    split_items,
)
from landline_protocol.limits import BATCH_ITEMS_MAX, BATCH_MAX, TEXT_MAX
from landline_protocol.link import Role


class OutboundState(IntEnum):
    """What this side may still say."""

    OPEN = auto()
    CLOSING = auto()
    CONFIRMED = auto()
    ERROR = auto()


class OutboundMove(IntEnum):
    """What happens to the outbound direction."""

    SAY = auto()
    SAY_BYE = auto()
    CONFIRM = auto()
    CONFIRM_BYE = auto()


OUTBOUND: dict[OutboundState, dict[OutboundMove, OutboundState]] = {
    OutboundState.OPEN: {
        OutboundMove.SAY: OutboundState.OPEN,
        OutboundMove.SAY_BYE: OutboundState.CLOSING,
        OutboundMove.CONFIRM: OutboundState.OPEN,
    },
    OutboundState.CLOSING: {
        OutboundMove.CONFIRM: OutboundState.CLOSING,
        OutboundMove.CONFIRM_BYE: OutboundState.CONFIRMED,
    },
    OutboundState.CONFIRMED: {OutboundMove.CONFIRM: OutboundState.CONFIRMED},
    OutboundState.ERROR: {},
}


class InboundState(IntEnum):
    """What the other side may still say."""

    OPEN = auto()
    CLOSED = auto()
    ERROR = auto()


class InboundMove(IntEnum):
    """What happens to the inbound direction."""

    HEAR = auto()
    HEAR_BYE = auto()
    HEAR_AGAIN = auto()


INBOUND: dict[InboundState, dict[InboundMove, InboundState]] = {
    InboundState.OPEN: {
        InboundMove.HEAR: InboundState.OPEN,
        InboundMove.HEAR_BYE: InboundState.CLOSED,
        InboundMove.HEAR_AGAIN: InboundState.OPEN,
    },
    InboundState.CLOSED: {InboundMove.HEAR_AGAIN: InboundState.CLOSED},
    InboundState.ERROR: {},
}


def fresh_digest(conversation: bytes, role: Role) -> "hashlib._Hash":
    """Return the digest of an empty direction that ``role`` speaks in."""
    return hashlib.sha256(conversation + bytes((role.value,)))


class UnfitText(LocalProtocolError):
    """The text has more than ``TEXT_MAX`` octets of UTF-8, or is not Unicode."""


class Outbound:
    """The items that this side says, from number 1.

    ``window`` is what the other side takes, in octets of items, beyond what
    it has confirmed. ``said`` counts texts and the bye, ``texts`` only texts.
    """

    def __init__(self, conversation: bytes, role: Role, window: int) -> None:
        self.state = OutboundState.OPEN
        self.said = 0
        self.sent = 0
        self.confirmed = 0
        self.texts = 0
        self._edge = window
        self._digest = fresh_digest(conversation, role)
        self._waiting: deque[bytes] = deque()
        self._flying: deque[int] = deque()
        self._sent_octets = 0
        self._confirmed_octets = 0

    @property
    def unconfirmed(self) -> int:
        """How many texts are said and not confirmed."""
        return max(0, self.texts - self.confirmed)

    @property
    def waiting(self) -> int:
        """How many items the window holds back."""
        return len(self._waiting)

    def say(self, text: str, at: int) -> int:
        """Take a text to be sent and return its number.

        Raises:
            UnfitText: nothing was taken.
            LocalProtocolError: bye has been said.
        """
        check_text(text)
        self._move(OutboundMove.SAY)
        octets = encode_item(Text(at, text))
        self._digest.update(octets)
        self.texts += 1
        return self._append(octets)

    def bye(self, at: int, heard_number: int, heard: bytes) -> int:
        """End this direction and return the number of the bye.

        Raises:
            LocalProtocolError: bye has been said before.
        """
        self._move(OutboundMove.SAY_BYE)
        return self._append(encode_item(Bye(at, self._digest.digest(), heard_number, heard)))

    def batches(self) -> list[bytes]:
        """Return the batches that the window lets go now, ready for the wire."""
        batches: list[bytes] = []
        while self._waiting:
            items = self._next_items()
            if not items:
                break
            batches.append(encode_batch(self.sent + 1, items))
            self.sent += len(items)
        return batches

    def confirm(self, ack: Ack) -> int:
        """Take an acknowledgement and return how many items it newly confirms.

        One that an earlier one has overtaken changes nothing.

        Raises:
            RemoteProtocolError: ``out-of-order``; it confirms what was never sent.
            LocalProtocolError: this direction has already failed.
        """
        closing = self.state is OutboundState.CLOSING and ack.upto == self.said
        self._move(OutboundMove.CONFIRM_BYE if closing else OutboundMove.CONFIRM)
        if ack.upto > self.sent:
            self.state = OutboundState.ERROR
            raise RemoteProtocolError(FailCode.OUT_OF_ORDER, "an ack for what was never sent")
        if ack.upto < self.confirmed:
            return 0
        newly = ack.upto - self.confirmed
        for _ in range(newly):
            self._confirmed_octets += self._flying.popleft()
        self.confirmed = ack.upto
        self._edge = max(self._edge, self._confirmed_octets + ack.window)
        return newly

    def check_agreement(self, bye: Bye) -> None:
        """Compare what the other side says it heard with what this side said.

        A bye that was said while texts were under way cannot be compared;
        the other side has the digest in this side's bye for that.

        Raises:
            RemoteProtocolError: ``disagreement``.
        """
        heard_all = bye.heard_number >= self.texts
        if bye.heard_number > self.sent or (heard_all and bye.heard != self._digest.digest()):
            self.state = OutboundState.ERROR
            raise RemoteProtocolError(
                FailCode.DISAGREEMENT, "the other side has not heard what was said here"
            )

    def _append(self, octets: bytes) -> int:
        self._waiting.append(octets)
        self.said += 1
        return self.said

    def _next_items(self) -> list[bytes]:
        items: list[bytes] = []
        room = min(BATCH_MAX, self._edge - self._sent_octets)
        while self._waiting and len(items) < BATCH_ITEMS_MAX:
            size = len(self._waiting[0])
            if size > room:
                break
            items.append(self._waiting.popleft())
            self._flying.append(size)
            self._sent_octets += size
            room -= size
        return items

    def _move(self, move: OutboundMove) -> None:
        following = OUTBOUND[self.state].get(move)
        if following is None:
            raise LocalProtocolError(f"{move.name.lower()} in state {self.state.name.lower()}")
        self.state = following


class Inbound:
    """The items that the other side says, from number 1.

    ``role`` is the speaker's; ``window`` is what this side offered in hello
    or welcome.
    """

    def __init__(self, conversation: bytes, role: Role, window: int) -> None:
        self.state = InboundState.OPEN
        self.heard = 0
        self.octets = 0
        self._edge = window
        self._unacknowledged: deque[tuple[int, int]] = deque()
        self._acknowledged = (0, 0)
        self._digest = fresh_digest(conversation, role)

    @property
    def digest(self) -> bytes:
        """The digest of every text heard so far."""
        return self._digest.digest()

    def hear(self, batch: Batch) -> list[Item]:
        """Take a batch and return the items that are new, in order.

        The first of them has the number that follows the old ``heard``.

        Raises:
            RemoteProtocolError: ``out-of-order`` for a gap or an item after
                the bye, ``overrun`` for more than the window allows,
                ``disagreement`` for a bye with another digest.
            LocalProtocolError: this direction has already failed.
        """
        if self.state is InboundState.ERROR:
            raise LocalProtocolError("this direction has failed")
        try:
            return self._hear(batch)
        except RemoteProtocolError:
            self.state = InboundState.ERROR
            raise

    def acknowledged(self, ack: Ack) -> None:
        """Note an acknowledgement that leaves: it moves the edge of the window.

        Raises:
            LocalProtocolError: it does not end where a batch that was heard
                ended, or takes an earlier one back.
        """
        while self._unacknowledged and self._unacknowledged[0][0] <= ack.upto:
            self._acknowledged = self._unacknowledged.popleft()
        upto, octets = self._acknowledged
        if ack.upto != upto:
            raise LocalProtocolError(f"an ack up to {ack.upto} where a batch ends at {upto}")
        self._edge = max(self._edge, octets + ack.window)

    def _hear(self, batch: Batch) -> list[Item]:
        known = self.heard + 1 - batch.first
        if known < 0:
            raise _out_of_order("items are missing")
        items, octets = _from(batch, known)
        if not items:
            self._move(InboundMove.HEAR_AGAIN)
            return items
        self._take(items, octets)
        return items

    def _take(self, items: list[Item], octets: list[bytes]) -> None:
        last = items[-1]
        self._move(InboundMove.HEAR_BYE if type(last) is Bye else InboundMove.HEAR)
        if Bye in map(type, items[:-1]):
            raise _out_of_order("an item after the bye")
        self.octets += sum(map(len, octets))
        if self.octets > self._edge:
            raise RemoteProtocolError(FailCode.OVERRUN, "more than the window allows")
        if type(last) is Bye:
            self._digest.update(b"".join(octets[:-1]))
            self._check(last)
        else:
            self._digest.update(b"".join(octets))
        self.heard += len(items)
        self._unacknowledged.append((self.heard, self.octets))

    def _check(self, bye: Bye) -> None:
        if bye.said != self._digest.digest():
            raise RemoteProtocolError(
                FailCode.DISAGREEMENT, "what was heard here is not what the other side said"
            )

    def _move(self, move: InboundMove) -> None:
        following = INBOUND[self.state].get(move)
        if following is None:
            raise _out_of_order("an item after the bye")
        self.state = following


class Receipts:
    """What this side has stored of the other's items, and the window it offers.

    The window shrinks while what was stored waits to be read, and never takes
    back what it has offered: its edge lies ``window`` octets beyond what has
    been read. Octets are those of ``Inbound.octets``, the bye's among them.
    """

    def __init__(self, window: int) -> None:
        self.stored = 0
        self._window = window
        self._room = window
        self._offered = window

    def store(self, upto: int, octets: int) -> None:
        """Note that every item up to ``upto`` is stored, ``octets`` more than before."""
        self.stored = upto
        self._room -= octets

    def read(self, octets: int) -> bool:
        """Note that ``octets`` have been read; true when the other side should know.

        It should when a quarter of the window has come free since it was told.
        """
        self._room += octets
        return self._room - self._offered >= self._window // 4

    def ack(self) -> Ack:
        """Return the acknowledgement of everything stored."""
        self._offered = self._room
        return Ack(self.stored, self._offered)


def check_text(text: str) -> None:
    """Check that a text can be said.

    Raises:
        UnfitText: it has more than ``TEXT_MAX`` octets, or is not Unicode.
    """
    try:
        octets = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise UnfitText("the text is not valid Unicode") from None
    if octets > TEXT_MAX:
        raise UnfitText(f"the text has {octets} octets; {TEXT_MAX} is the most")


def _from(batch: Batch, known: int) -> tuple[list[Item], list[bytes]]:
    """Return the items of a batch after the first ``known``, and their octets."""
    if known == 0 and Bye not in map(type, batch.items):
        return batch.items, [batch.octets]
    return batch.items[known:], split_items(batch)[known:]


def _out_of_order(say: str) -> RemoteProtocolError:
    return RemoteProtocolError(FailCode.OUT_OF_ORDER, say)
