"""What each direction of a conversation knows: numbers, windows, digests, byes.

A conversation has two directions that share nothing, so that a thread can own
each: ``Outbound`` numbers what is said and keeps what is not yet confirmed,
``Inbound`` checks what is heard, ``Receipts`` says what is stored (SPEC
sections 6.4 to 6.6). The legal moves of both directions stand in two tables.
A conversation outlives its links: all three can be restored from what was
stored, and go on when a link opens. Nothing here knows sockets, time or files.
"""

import hashlib
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum, auto
from itertools import accumulate

from landline_protocol.errors import FailCode, LocalProtocolError, RemoteProtocolError
from landline_protocol.frames import (
    Ack,
    Batch,
    Bye,
    Chunk,
    Text,
    decode_items,
    encode_batch,
    encode_item,
    encode_texts,
    item_sizes,
    split_items,
)
from landline_protocol.limits import BATCH_ITEMS_MAX, CHUNK_MAX, TEXT_MAX, WINDOW_MIN
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


class _OutboundLink(IntEnum):
    """What an outbound direction has of a link.

    UNSURE: it was restored, and may have said more than it knows of.
    """

    NONE = auto()
    UNSURE = auto()
    OPEN = auto()


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

    ``role`` is this side's in the conversation. ``said`` counts texts and the
    bye, ``texts`` only texts; ``sent`` is the last number that any link may have
    carried. No link is open until ``resume``; what is said before that waits.
    """

    def __init__(self, conversation: bytes, role: Role) -> None:
        self.state = OutboundState.OPEN
        self.said = 0
        self.sent = 0
        self.confirmed = 0
        self.texts = 0
        self._digest = fresh_digest(conversation, role)
        self._kept: deque[Chunk] = deque()
        self._waiting: deque[Chunk] = deque()
        self._link = _OutboundLink.NONE
        self._sent_here = 0
        # Octets of items, counted from item 1; those of `sent` are of this link.
        self._edge = 0
        self._said_octets = 0
        self._sent_octets = 0
        self._confirmed_octets = 0

    @property
    def unconfirmed(self) -> int:
        """How many texts are said and not confirmed."""
        return max(0, self.texts - self.confirmed)

    @property
    def waiting_octets(self) -> int:
        """How many octets this link, or the next one, has still to carry."""
        return self._said_octets - self._sent_octets

    @property
    def under_way(self) -> bool:
        """Whether the open link has carried items that are not confirmed yet."""
        return self._link is _OutboundLink.OPEN and self._sent_here > self.confirmed

    def restore(self, chunks: Iterable[Chunk], confirmed: int) -> None:
        """Take up what was said before this program was started.

        ``chunks`` is all of this direction, in order; what is not confirmed of
        it is kept, the rest only digested. Any of it may have been sent. The
        storage may have lost what was said last, so that nothing can be said
        before the other side's number is known.

        Raises:
            LocalProtocolError: something is missing.
        """
        for chunk, bye in _restored(chunks, self.said):
            self._digest.update(chunk.octets[: len(chunk.octets) - len(bye)])
            self.texts += chunk.count - (1 if bye else 0)
            self._keep(chunk)
            if bye:
                self._move(OutboundMove.SAY_BYE)
            self.sent = self._sent_here = self.said
            self._take(min(confirmed, self.said))
        if confirmed > self.said:
            raise LocalProtocolError(f"{confirmed} items are confirmed, {self.said} stored")
        self._sent_octets = self._confirmed_octets
        self._link = _OutboundLink.UNSURE

    def say(self, texts: Sequence[Text]) -> list[Chunk]:
        """Number texts and return the chunks to be stored, before they are sent.

        Each text is one that ``check_text`` has passed.

        Raises:
            LocalProtocolError: bye has been said, or this direction was restored
                and no link has been open since.
        """
        self._check_sure()
        self._move(OutboundMove.SAY)
        chunks = _chunks(self.said + 1, len(texts), encode_texts(texts))
        for chunk in chunks:
            self._digest.update(chunk.octets)
            self._append(chunk)
        self.texts += len(texts)
        return chunks

    def bye(self, at: int, heard_number: int, heard: bytes) -> Chunk:
        """End this direction and return the chunk to be stored.

        Raises:
            LocalProtocolError: as for ``say``.
        """
        self._check_sure()
        self._move(OutboundMove.SAY_BYE)
        bye = encode_item(Bye(at, self._digest.digest(), heard_number, heard))
        chunk = Chunk(self.said + 1, 1, bye)
        self._append(chunk)
        return chunk

    def suspend(self) -> None:
        """Send nothing more: the link is gone."""
        if self._link is _OutboundLink.OPEN:
            self._link = _OutboundLink.NONE
        self._waiting.clear()
        self._sent_octets = self._confirmed_octets

    def resume(self, number: int, window: int) -> int:
        """Go on over a new link and return how many items are newly confirmed.

        The other side expects ``number``: it has stored what comes before, and
        gets the rest, octet for octet as it was.

        Raises:
            RemoteProtocolError: ``unknown-conversation``; it cannot expect that.
            LocalProtocolError: this direction has failed.
        """
        self.suspend()
        if not self.confirmed < number <= self.sent + 1:
            self._move(OutboundMove.CONFIRM)
            self.state = OutboundState.ERROR
            raise RemoteProtocolError(
                FailCode.UNKNOWN_CONVERSATION,
                f"the other side expects item {number}, not one from "
                f"{self.confirmed + 1} to {self.sent + 1}",
            )
        newly = self._take(number - 1)
        self._link = _OutboundLink.OPEN
        self._sent_here = self.confirmed
        self._sent_octets = self._confirmed_octets
        self._edge = self._confirmed_octets + window
        self._waiting.extend(self._kept)
        return newly

    def batches(self) -> list[bytes]:
        """Return the batches that the window lets go now, ready for the wire."""
        batches: list[bytes] = []
        waiting = self._waiting
        while waiting and self._sent_octets + len(waiting[0].octets) <= self._edge:
            chunk = waiting.popleft()
            self._sent_octets += len(chunk.octets)
            self._sent_here = chunk.last
            batches.append(encode_batch(chunk))
        self.sent = max(self.sent, self._sent_here)
        return batches

    def confirm(self, ack: Ack) -> int:
        """Take an acknowledgement and return how many items it newly confirms.

        One that an earlier one has overtaken changes nothing. Between two links
        it still says what is stored, but opens no window.

        Raises:
            RemoteProtocolError: ``out-of-order``; it confirms what was never sent.
            LocalProtocolError: this direction has already failed.
        """
        is_open = self._link is _OutboundLink.OPEN
        if ack.upto > (self._sent_here if is_open else self.sent):
            self._move(OutboundMove.CONFIRM)
            self.state = OutboundState.ERROR
            raise RemoteProtocolError(FailCode.OUT_OF_ORDER, "an ack for what was never sent")
        newly = self._take(ack.upto)
        if not is_open:
            self._sent_octets = self._confirmed_octets
        elif ack.upto == self.confirmed:
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

    def _append(self, chunk: Chunk) -> None:
        self._keep(chunk)
        if self._link is _OutboundLink.OPEN:
            self._waiting.append(chunk)

    def _keep(self, chunk: Chunk) -> None:
        self._kept.append(chunk)
        self.said = chunk.last
        self._said_octets += len(chunk.octets)

    def _take(self, upto: int) -> int:
        """Note that the other side has stored every item up to ``upto``."""
        closing = self.state is OutboundState.CLOSING and upto == self.said
        self._move(OutboundMove.CONFIRM_BYE if closing else OutboundMove.CONFIRM)
        newly = upto - self.confirmed
        if newly <= 0:
            return 0
        kept = self._kept
        while kept and kept[0].last <= upto:
            self._confirmed_octets += len(kept.popleft().octets)
        if kept and kept[0].first <= upto:
            head, kept[0] = _cut(kept[0], upto)
            self._confirmed_octets += len(head.octets)
        self.confirmed = upto
        return newly

    def _check_sure(self) -> None:
        if self._link is _OutboundLink.UNSURE:
            raise LocalProtocolError("nothing can be said before the other side's number is known")

    def _move(self, move: OutboundMove) -> None:
        following = OUTBOUND[self.state].get(move)
        if following is None:
            raise LocalProtocolError(f"{move.name.lower()} in state {self.state.name.lower()}")
        self.state = following


class Inbound:
    """The items that the other side says, from number 1.

    ``role`` is the speaker's in the conversation. No link is open, and nothing
    can be heard, until ``resume``.
    """

    def __init__(self, conversation: bytes, role: Role) -> None:
        self.state = InboundState.OPEN
        self.heard = 0
        self.octets = 0
        self._edge = 0
        self._unacknowledged: deque[tuple[int, int]] = deque()
        self._acknowledged = (0, 0)
        self._digest = fresh_digest(conversation, role)

    @property
    def digest(self) -> bytes:
        """The digest of every text heard so far."""
        return self._digest.digest()

    def restore(self, chunks: Iterable[Chunk]) -> None:
        """Take up what was stored before this program was started: all of it, in order.

        Raises:
            LocalProtocolError: something is missing.
        """
        for chunk, bye in _restored(chunks, self.heard):
            self._digest.update(chunk.octets[: len(chunk.octets) - len(bye)])
            self.heard = chunk.last
            self.octets += len(chunk.octets)
            if bye:
                self._move(InboundMove.HEAR_BYE)

    def resume(self, window: int) -> None:
        """Go on over a new link, after a hello or welcome that says ``heard`` + 1.

        Everything heard is stored, for that number says so; ``window`` is the one
        of the same frame.

        Raises:
            LocalProtocolError: this direction has failed.
        """
        self._check_sound()
        self._unacknowledged.clear()
        self._acknowledged = (self.heard, self.octets)
        self._edge = self.octets + window

    def hear(self, batch: Batch) -> Batch:
        """Take a batch and return what is new of it, which may be no item at all.

        The first new item has the number that follows the old ``heard``.

        Raises:
            RemoteProtocolError: ``out-of-order`` for a gap or an item after
                the bye, ``overrun`` for more than the window allows,
                ``disagreement`` for a bye with another digest.
            LocalProtocolError: this direction has already failed.
        """
        self._check_sound()
        try:
            new = self._new(batch)
            if new.items:
                self._take(new)
            else:
                self._move(InboundMove.HEAR_AGAIN)
            return new
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

    def _new(self, batch: Batch) -> Batch:
        known = self.heard + 1 - batch.first
        if known == 0:
            return batch
        if known < 0:
            raise _out_of_order("items are missing")
        items = batch.items[known:]
        octets = b"".join(split_items(batch.octets, len(batch.items))[known:])
        return Batch(self.heard + 1, items, octets)

    def _take(self, batch: Batch) -> None:
        items, octets = batch.items, batch.octets
        last = items[-1]
        self._move(InboundMove.HEAR_BYE if type(last) is Bye else InboundMove.HEAR)
        if Bye in map(type, items[:-1]):
            raise _out_of_order("an item after the bye")
        self.octets += len(octets)
        if self.octets > self._edge:
            raise RemoteProtocolError(FailCode.OVERRUN, "more than the window allows")
        if type(last) is Bye:
            self._digest.update(octets[: -len(split_items(octets, len(items))[-1])])
            self._check(last)
        else:
            self._digest.update(octets)
        self.heard += len(items)
        self._unacknowledged.append((self.heard, self.octets))

    def _check(self, bye: Bye) -> None:
        if bye.said != self._digest.digest():
            raise RemoteProtocolError(
                FailCode.DISAGREEMENT, "what was heard here is not what the other side said"
            )

    def _check_sound(self) -> None:
        if self.state is InboundState.ERROR:
            raise LocalProtocolError("this direction has failed")

    def _move(self, move: InboundMove) -> None:
        following = INBOUND[self.state].get(move)
        if following is None:
            raise _out_of_order("an item after the bye")
        self.state = following


class Receipts:
    """What this side has stored of the other's items, and the window it offers.

    The window shrinks while what was stored waits to be read, and never takes
    back what it has offered: its edge lies ``window`` octets beyond what has
    been read, or up to ``WINDOW_MIN`` further, lent to a new link. Octets are
    those of ``Inbound.octets``, the bye's among them.
    """

    def __init__(self, window: int) -> None:
        self.stored = 0
        self._window = window
        self._room = window
        self._offered = window
        self._lent = 0
        self._ended = False

    @property
    def crowded(self) -> bool:
        """Whether no link can be offered: more waits to be read than the window holds.

        A new link would have to be lent more than ``WINDOW_MIN`` in all. Once
        the other side's bye has come, it costs nothing to offer what is due.
        """
        return self._lent > self._room and not self._ended

    def restore(self, upto: int) -> None:
        """Note what was stored before this program was started; it has been read."""
        self.stored = upto

    def resume(self) -> int:
        """Return the window to say in the hello or welcome of a new link.

        It has to be ``WINDOW_MIN`` even if there is less room; what is missing
        is lent, and the next octets that are read pay for it.

        Raises:
            LocalProtocolError: it is crowded here.
        """
        if self.crowded:
            raise LocalProtocolError("a new link where what has come waits to be read")
        lent = max(0, WINDOW_MIN - self._room)
        self._lent += lent
        self._room += lent
        self._offered = self._room
        return self._room

    def store(self, upto: int, octets: int) -> None:
        """Note that every item up to ``upto`` is stored, ``octets`` more than before."""
        self.stored = upto
        self._room -= octets

    def end(self) -> None:
        """Note that the other side's bye has come: there are no items after it."""
        self._ended = True

    def read(self, octets: int) -> bool:
        """Note that ``octets`` have been read; true when the other side should know.

        It should when a quarter of the window has come free since it was told.
        """
        paid = min(self._lent, octets)
        self._lent -= paid
        self._room += octets - paid
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


def _chunks(first: int, count: int, octets: bytes) -> list[Chunk]:
    """Cut encoded texts into chunks, each as long as it may be."""
    if 0 < count <= BATCH_ITEMS_MAX and len(octets) <= CHUNK_MAX:
        return [Chunk(first, count, octets)]
    chunks = []
    ends = list(accumulate(item_sizes(octets, count), initial=0))
    done = 0
    while done < count:
        start, most = ends[done], min(count, done + BATCH_ITEMS_MAX)
        upto = bisect_right(ends, start + CHUNK_MAX, done, most + 1) - 1
        chunks.append(Chunk(first + done, upto - done, octets[start : ends[upto]]))
        done = upto
    return chunks


def joined(chunks: Iterable[Chunk]) -> list[Chunk]:
    """Join chunks that follow one another, each result as long as a chunk may be.

    What came one by one is then stored together. A chunk that is longer than that
    by itself stays as it is.
    """
    runs: list[Chunk] = []
    run: list[bytes] = []
    first = count = size = 0
    for chunk in chunks:
        fits = size + len(chunk.octets) <= CHUNK_MAX and count + chunk.count <= BATCH_ITEMS_MAX
        if run and not fits:
            runs.append(Chunk(first, count, b"".join(run)))
            run.clear()
        if not run:
            first, count, size = chunk.first, 0, 0
        run.append(chunk.octets)
        count += chunk.count
        size += len(chunk.octets)
    if run:
        runs.append(Chunk(first, count, b"".join(run)))
    return runs


def _cut(chunk: Chunk, upto: int) -> tuple[Chunk, Chunk]:
    """Return what a chunk has up to a number, and the rest."""
    count = upto + 1 - chunk.first
    size = sum(item_sizes(chunk.octets, chunk.count)[:count])
    head = Chunk(chunk.first, count, chunk.octets[:size])
    return head, Chunk(upto + 1, chunk.count - count, chunk.octets[size:])


def _restored(chunks: Iterable[Chunk], upto: int) -> Iterator[tuple[Chunk, bytes]]:
    """Yield each chunk with the octets of the bye at its end, which are mostly none.

    Only the very last item of a direction can be a bye, and only the last chunk
    is looked into.
    """
    before: Chunk | None = None
    for chunk in chunks:
        if chunk.first != upto + 1:
            raise LocalProtocolError(f"item {chunk.first} is stored after item {upto}")
        if before is not None:
            yield before, b""
        before, upto = chunk, chunk.last
    if before is not None:
        said_bye = type(decode_items(before.octets, before.count)[-1]) is Bye
        yield before, split_items(before.octets, before.count)[-1] if said_bye else b""


def _out_of_order(say: str) -> RemoteProtocolError:
    return RemoteProtocolError(FailCode.OUT_OF_ORDER, say)
