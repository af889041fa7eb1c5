"""Conversations through cuts, crashes and power cuts: nothing lost, doubled or mixed up.

Both sides drive the real machines in the order in which a peer has to (SPEC
sections 6.4 to 6.8): kept before sent, synced before acknowledged. A journal in
memory loses what is not synced when the power goes. Hypothesis is the adversary.
With ``LANDLINE_SOAK=1`` in the environment it has thirty thousand runs instead of
one thousand; they take some ten minutes.
"""

import os
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from landline_protocol.conversation import (
    Inbound,
    InboundState,
    Outbound,
    OutboundState,
    Receipts,
    fresh_digest,
    joined,
)
from landline_protocol.errors import FailCode, LocalProtocolError, RemoteProtocolError
from landline_protocol.frames import (
    Accept,
    Ack,
    Ask,
    Batch,
    Bye,
    Chunk,
    ControlFrame,
    Fail,
    Frame,
    Hello,
    Item,
    Kind,
    Refuse,
    Stored,
    Text,
    Welcome,
    decode,
    decode_items,
    split_items,
)
from landline_protocol.limits import WINDOW_MIN
from landline_protocol.link import Link, LinkState, Role

SOAK = bool(os.environ.get("LANDLINE_SOAK"))
Operation = tuple[Any, ...]


# What a disk holds.


class Record:
    """One conversation in a journal."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.mine: list[Chunk] = []
        self.heard: list[Chunk] = []
        self.confirmed = 0
        self.over = False

    @property
    def heard_number(self) -> int:
        return self.heard[-1].last if self.heard else 0

    def unconfirmed(self) -> list[Text]:
        return [item for item in items_of(self.mine)[self.confirmed :] if isinstance(item, Text)]


class View:
    """What the operations of a journal come to."""

    def __init__(self) -> None:
        self.records: dict[bytes, Record] = {}
        self.outbox: list[Text] = []

    def apply(self, operations: tuple[Operation, ...]) -> None:
        for name, *arguments in operations:
            getattr(self, name)(*arguments)

    def begin(self, conversation: bytes, role: Role) -> None:
        for record in self.records.values():
            record.over = True
        self.records[conversation] = Record(role)

    def mine(self, conversation: bytes, chunk: Chunk) -> None:
        self.records[conversation].mine.append(chunk)

    def heard(self, conversation: bytes, chunk: Chunk) -> None:
        self.records[conversation].heard.append(chunk)

    def confirm(self, conversation: bytes, upto: int) -> None:
        record = self.records[conversation]
        record.confirmed = max(record.confirmed, upto)

    def over(self, conversation: bytes) -> None:
        if conversation in self.records:
            self.records[conversation].over = True

    def post(self, text: Text) -> None:
        self.outbox.append(text)
        self.outbox.sort(key=lambda each: each.at)

    def unpost(self, texts: int) -> None:
        del self.outbox[:texts]

    def settle(self, conversation: bytes, upto: int) -> None:
        record = self.records[conversation]
        said = record.mine[-1].last
        self.confirm(conversation, min(upto, said))
        for text in record.unconfirmed():
            self.post(text)
        record.confirmed = said
        record.over = True

    def unsettled(self) -> list[bytes]:
        records = self.records.items()
        return [each for each, record in records if record.over and record.unconfirmed()]

    def delivered(self) -> list[int]:
        """The serial numbers of the texts that the other side said, as they were stored."""
        return [
            item.at
            for record in self.records.values()
            for item in items_of(record.heard)
            if isinstance(item, Text)
        ]

    def pending(self) -> set[int]:
        """The serial numbers of this side's texts of which it does not know that they came."""
        texts = [text for record in self.records.values() for text in record.unconfirmed()]
        return {text.at for text in texts + self.outbox}


def items_of(chunks: list[Chunk]) -> list[Item]:
    return [item for chunk in chunks for item in decoded(chunk)]


@lru_cache(200)
def decoded(chunk: Chunk) -> list[Item]:
    return decode_items(chunk.octets, chunk.count)


@lru_cache(200)
def split(chunk: Chunk) -> list[bytes]:
    return split_items(chunk.octets, chunk.count)


class Journal:
    """A log of transactions of which a power cut leaves the synced ones, and perhaps some more."""

    def __init__(self) -> None:
        self.log: list[tuple[Operation, ...]] = []
        self.synced = 0
        self.kept_view, self.synced_view = View(), View()

    def write(self, *operations: Operation, sync: bool = False) -> None:
        self.log.append(operations)
        self.kept_view.apply(operations)
        if sync:
            self.sync()

    def sync(self) -> None:
        for operations in self.log[self.synced :]:
            self.synced_view.apply(operations)
        self.synced = len(self.log)

    def power_cut(self, luck: int) -> None:
        """Lose what is not synced but for the first ``luck`` transactions of it."""
        del self.log[self.synced + luck :]
        self.kept_view, self.synced_view, self.synced = View(), View(), 0
        for operations in self.log:
            self.kept_view.apply(operations)
        self.sync()


# What is between the two.


class Wire:
    """One link's two queues. What is sent when it is cut is gone."""

    def __init__(self, caller: "Side") -> None:
        self.caller = caller
        self.whole = True
        self.queues: dict[Side, deque[bytes]] = {caller: deque(), caller.far: deque()}


class Side:
    """One peer: what a program holds in memory, and its journal."""

    far: "Side"

    def __init__(self, name: str, window: int) -> None:
        self.name = name
        self.window = window
        self.journal = Journal()
        self.forget()

    def forget(self) -> None:
        """The program has ended."""
        self.conversation: bytes | None = None
        self.wire: Wire | None = None
        self.knock: Wire | None = None
        self.link = Link(Role.CALLER)
        self.unwritten: list[Chunk] = []
        self.unsynced: list[Chunk] = []
        self.unread = 0
        self.carrying = False
        self.late_acks: list[Ack] = []

    @property
    def record(self) -> Record:
        assert self.conversation is not None
        return self.journal.kept_view.records[self.conversation]

    @property
    def is_open(self) -> bool:
        return self.wire is not None and self.link.state is LinkState.OPEN

    @property
    def complete(self) -> bool:
        return (
            self.conversation is not None
            and self.outbound.state is OutboundState.CONFIRMED
            and self.inbound.state is InboundState.CLOSED
            and not (self.unwritten or self.unsynced)
        )

    # Saying.

    def say(self, texts: list[Text]) -> None:
        """Take what the user types; what cannot be said now is posted."""
        sure = self.is_open and not self.carrying and self.link.settled
        open_ = self.conversation is not None and self.outbound.state is OutboundState.OPEN
        if sure and open_ and not self.journal.kept_view.outbox:
            self._keep(self.outbound.say(texts), sync=False)
            self.send()
        else:
            self.journal.write(*[("post", text) for text in texts], sync=True)

    def say_between_links(self, texts: list[Text]) -> bool:
        """Say what waits in the conversation itself for the next link."""
        view = self.journal.kept_view
        if self.conversation is None or self.is_open or view.outbox or view.unsettled():
            return False
        if self.carrying or self.outbound.state is not OutboundState.OPEN:
            return False
        try:
            self._keep(self.outbound.say(texts), sync=False)
        except LocalProtocolError:
            return False  # restored, and no link since
        return True

    def bye(self) -> None:
        """Say bye, unless something waits to be said before it."""
        waits = self.carrying or not self.link.settled or self.journal.kept_view.outbox
        if self.is_open and not waits and self.outbound.state is OutboundState.OPEN:
            self.write()
            bye = self.outbound.bye(0, self.inbound.heard, self.inbound.digest)
            self._keep([bye], sync=False)
            self.send()

    def send(self) -> None:
        if self.is_open and self.link.settled:
            self._carry()
            for octets in self.outbound.batches():
                self._put(self.link.forward(octets))

    def _carry(self) -> None:
        outbox = self.journal.kept_view.outbox
        if outbox and self.outbound.state is OutboundState.OPEN:
            chunks = self.outbound.say(outbox)
            self._keep(chunks, ("unpost", len(outbox)), sync=True)
        self.carrying = False

    def _keep(self, chunks: list[Chunk], *more: Operation, sync: bool) -> None:
        mine = [("mine", self.conversation, chunk) for chunk in chunks]
        self.journal.write(*mine, *more, sync=sync)

    # Hearing.

    def write(self) -> None:
        """Write what was heard; it is not synced yet. One of the two joins it first."""
        chunks = joined(self.unwritten) if self.name == "alice" else self.unwritten
        for chunk in chunks:
            self.journal.write(("heard", self.conversation, chunk))
        self.unsynced += chunks
        self.unwritten = []

    def sync(self) -> None:
        self.write()
        self.journal.sync()
        for chunk in self.unsynced:
            self.receipts.store(chunk.last, len(chunk.octets))
            self.unread += len(chunk.octets)
        self.unsynced = []

    def acknowledge(self) -> None:
        if self.is_open:
            self.sync()
            ack = self.receipts.ack()
            self.inbound.acknowledged(ack)
            self._tell(ack)
            self._close_if_complete()

    def read(self, octets: int) -> None:
        octets = min(octets, self.unread)
        self.unread -= octets
        if octets and self.receipts.read(octets):
            self.acknowledge()

    def take(self) -> bool:
        """Take one frame, or notice that the link is gone."""
        wire = self.wire
        if wire is None:
            return False
        if not wire.queues[self]:
            if wire.whole:
                return False
            self.drop()
            return True
        octets = wire.queues[self].popleft()
        self._handle(self.link.receive(octets))
        return True

    def _handle(self, frame: Frame) -> None:
        match frame:
            case Batch():
                self._hear(frame)
            case Ack():
                self._confirmed(self.outbound.confirm(frame))
            case Welcome():
                self._welcomed(frame)
            case Accept():
                self._opened()
            case Ask():
                self._answer(frame)
            case Stored():
                self.journal.write(("settle", frame.conversation, frame.upto), sync=True)
                self.send()
            case Refuse() | Fail():
                assert frame.code == FailCode.UNKNOWN_CONVERSATION, frame
                self._abandon()
            case _:
                pytest.fail(f"nobody sends {frame}")

    def _hear(self, batch: Batch) -> None:
        new = self.inbound.hear(batch)
        for item in new.items:
            if isinstance(item, Bye):
                self.outbound.check_agreement(item)
        # Item by item: another implementation may store less than a batch, and say so.
        items = split_items(new.octets, len(new.items))
        self.unwritten += [Chunk(number, 1, each) for number, each in enumerate(items, new.first)]

    def _confirmed(self, newly: int) -> None:
        if newly:
            self.journal.write(("confirm", self.conversation, self.outbound.confirmed))
        self.send()
        self._close_if_complete()

    # Links.

    def dial(self, conversation: bytes | None) -> None:
        """Call, with a new conversation or for the one that is in progress."""
        self.drop()
        if conversation is not None:
            self._begin(conversation, Role.CALLER)
        assert self.conversation is not None
        self.wire = Wire(self)
        self.link = Link(Role.CALLER)
        window, number = self._expect()
        self._tell(Hello((1, 1), self.conversation, self.name, self.far.name, number, window))
        if self.far.knock is not None:
            self.far.knock.whole = False
        self.far.knock = self.wire

    def resumable(self) -> bytes | None:
        """Return the conversation that this side would resume, as its caller."""
        for conversation, record in reversed(self.journal.kept_view.records.items()):
            if record.role is Role.CALLER and not record.over:
                return conversation
        return None

    def resume(self) -> None:
        conversation = self.resumable()
        assert conversation is not None
        if self.conversation != conversation:
            self.drop()
            self._restore(conversation)
        self.dial(None)

    def answer(self) -> None:
        """Let a caller in: the link of before is dropped."""
        knock, self.knock = self.knock, None
        assert knock is not None
        self.drop()
        self.wire, self.link = knock, Link(Role.CALLEE)
        if not knock.queues[self]:
            self.drop()
            return
        hello = self.link.receive(knock.queues[self].popleft())
        assert isinstance(hello, Hello)
        if not self._take_up(hello):
            self._tell(Refuse(FailCode.UNKNOWN_CONVERSATION, ""))
            self.drop()
            return
        newly = self._go_on(hello)
        if newly is None:
            self._tell(Refuse(FailCode.UNKNOWN_CONVERSATION, ""))
            self._abandon()
            return
        window, number = self._expect()
        self._tell(Welcome(1, hello.conversation, number, window))
        self._tell(Accept())
        if newly:
            self.journal.write(("confirm", self.conversation, self.outbound.confirmed))
        self._opened()

    def drop(self) -> None:
        """Close the link; what it still held is gone."""
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.whole = False
            late = [decode(octets) for octets in wire.queues[self]]
            self.late_acks = [frame for frame in late if isinstance(frame, Ack)]
            wire.queues[self].clear()
        if self.conversation is not None:
            self.outbound.suspend()

    def take_late_ack(self) -> None:
        """A thread hands over what another had read before the link was lost."""
        for ack in self.late_acks if self.conversation is not None else ():
            if self.outbound.confirm(ack):
                self.journal.write(("confirm", self.conversation, self.outbound.confirmed))
        self.late_acks = []

    def crash(self, luck: int | None) -> None:
        """Be killed; or lose the power, with the luck that is given."""
        for wire in (self.wire, self.knock):
            if wire is not None:
                wire.whole = False
        if luck is not None:
            self.journal.power_cut(luck)
        self.forget()

    def _take_up(self, hello: Hello) -> bool:
        record = self.journal.kept_view.records.get(hello.conversation)
        if record is None:
            if hello.resume > 1:
                return False
            self._begin(hello.conversation, Role.CALLEE)
            return True
        if record.over or record.role is not Role.CALLEE:
            return False
        if self.conversation != hello.conversation:
            self._restore(hello.conversation)
        return True

    def _begin(self, conversation: bytes, role: Role) -> None:
        if self.conversation is not None:
            self.sync()
        self.journal.write(("begin", conversation, role))
        self._make(conversation)

    def _restore(self, conversation: bytes) -> None:
        """Take up a conversation; even if nothing is left of it, something may have been sent."""
        if self.conversation is not None:
            self.sync()
        self._make(conversation)
        self.outbound.restore(iter(self.record.mine), self.record.confirmed)
        self.inbound.restore(iter(self.record.heard))
        self.receipts.restore(self.inbound.heard)

    def _make(self, conversation: bytes) -> None:
        self.conversation = conversation
        self.outbound = Outbound(conversation, self.record.role)
        self.inbound = Inbound(conversation, self.record.role.other)
        self.receipts = Receipts(self.window)
        self.unread = 0
        self.late_acks = []  # those of another conversation

    def _expect(self) -> tuple[int, int]:
        """Return the window and the number of a hello or welcome."""
        self.sync()
        if self.receipts.crowded:
            # Its reader gets on, at last: no link can come before.
            self.receipts.read(self.unread)
            self.unread = 0
        window = self.receipts.resume()
        self.inbound.resume(window)
        return window, self.inbound.heard + 1

    def _go_on(self, greeting: Hello | Welcome) -> int | None:
        """Send what the other side expects; ``None`` if it expects the impossible."""
        try:
            return self.outbound.resume(greeting.resume, greeting.window)
        except RemoteProtocolError as error:
            return None if error.code is FailCode.UNKNOWN_CONVERSATION else pytest.fail(str(error))

    def _welcomed(self, welcome: Welcome) -> None:
        assert welcome.conversation == self.conversation
        newly = self._go_on(welcome)
        if newly is None:
            self._tell(Fail(FailCode.UNKNOWN_CONVERSATION, ""))
            self._abandon()
            return
        if newly:
            self.journal.write(("confirm", self.conversation, self.outbound.confirmed))

    def _opened(self) -> None:
        self.carrying = True
        for conversation in self.journal.kept_view.unsettled():
            self._tell(Ask(conversation))
        self.send()
        self._close_if_complete()

    def _answer(self, ask: Ask) -> None:
        self.journal.write(("over", ask.conversation), sync=True)
        record = self.journal.kept_view.records.get(ask.conversation)
        self._tell(Stored(ask.conversation, record.heard_number if record else 0))

    def _abandon(self) -> None:
        """The conversation cannot go on."""
        assert self.conversation is not None
        self.sync()
        self.journal.write(("over", self.conversation))
        self.drop()
        self.conversation = None

    def _close_if_complete(self) -> None:
        if self.complete and self.link.state is LinkState.OPEN:
            if self.wire is not None and self.wire.queues[self]:
                return  # nothing but doubled frames
            wire = self.wire
            self.wire = None
            if wire is not None:
                wire.whole = False

    def _tell(self, frame: ControlFrame) -> None:
        self._put(self.link.send(frame))

    def _put(self, octets: bytes) -> None:
        check_promise(self, decode(octets))
        if self.wire is not None and self.wire.whole:
            self.wire.queues[self.far].append(octets)


def check_promise(side: Side, frame: Frame) -> None:
    """Check what a frame claims against the disk, not against what the machines believe."""
    synced, kept = side.journal.synced_view.records, side.journal.kept_view.records
    match frame:
        case Ack(upto=upto) | Hello(resume=upto) | Welcome(resume=upto):
            assert side.conversation is not None
            record = synced.get(side.conversation)
            claimed = upto if isinstance(frame, Ack) else upto - 1
            assert claimed <= (record.heard_number if record else 0), "not synced"
        case Stored(conversation=conversation, upto=upto):
            record = synced.get(conversation)
            assert upto <= (record.heard_number if record else 0), "not synced"
            assert record is None or record.over
        case Batch(first=first, items=items, octets=octets):
            assert side.conversation is not None
            mine = kept[side.conversation].mine
            written = [each for chunk in mine for each in split(chunk)]
            assert split_items(octets, len(items)) == written[first - 1 : first - 1 + len(items)]


# The adversary.

sides = st.integers(0, 1)


class Survival(RuleBasedStateMachine):
    """What the two say and do, and what befalls them."""

    def __init__(self) -> None:
        super().__init__()
        self.alice = Side("alice", WINDOW_MIN)
        self.bob = Side("bob", 2 * WINDOW_MIN)
        self.alice.far, self.bob.far = self.bob, self.alice
        self.both = (self.alice, self.bob)
        self.said: dict[Side, list[int]] = {self.alice: [], self.bob: []}
        self.serial = count(1)
        self.identities = count(1)

    @initialize(which=sides)
    def meet(self, which: int) -> None:
        self.call(self.both[which])
        self.deliver(8)

    @rule(script=st.binary(min_size=16, max_size=48))
    def talk(self, script: bytes) -> None:
        """Let both do what peers do when nothing befalls them, an octet for each act."""
        for octet in script:
            side = self.both[octet & 1]
            ACTS[(octet >> 1) % len(ACTS)](self, side)

    def say(self, side: Side, size: int, texts: int = 1) -> None:
        side.say(self.new_texts(side, texts, size))

    def say_between_links(self, side: Side) -> None:
        texts = self.new_texts(side, 1, 3)
        if not side.say_between_links(texts):
            side.say(texts)

    def new_texts(self, side: Side, number: int, size: int) -> list[Text]:
        texts = [Text(next(self.serial), "x" * size) for _ in range(number)]
        self.said[side] += [text.at for text in texts]
        return texts

    def deliver(self, frames: int) -> None:
        for _ in range(frames):
            for side in self.both:
                side.take()

    def go_on(self) -> None:
        """Dial again if the link is gone, as the caller of a conversation does."""
        if self.alice.wire is None or self.alice.wire is not self.bob.wire:
            one, other = self.both if self.alice.resumable() else reversed(self.both)
            if one.knock is not None:
                one.answer()
            elif other.knock is not None:
                other.answer()
            else:
                self.call(one)
        self.deliver(3)

    @rule(which=sides, fault=st.integers(0, 255), share=st.integers(0, 99))
    def befall(self, which: int, fault: int, share: int) -> None:
        """Let something happen to one side."""
        FAULTS[fault % len(FAULTS)](self, self.both[which], share)

    def call(self, side: Side) -> None:
        """Whoever had a conversation in progress resumes it, as ``landline call`` does."""
        self.dial(side)
        if side.far.knock is side.wire:
            side.far.answer()

    def dial(self, side: Side) -> None:
        """Dial, and let the other side not notice yet."""
        if side.resumable() is None or side.complete:
            self.dial_anew(side)
        else:
            side.resume()

    def dial_anew(self, side: Side) -> None:
        """Give up the conversation in progress, if there is one."""
        side.dial(next(self.identities).to_bytes(16))

    def cut(self, share: int) -> None:
        """Cut the cable: each end still gets the first frames of what was under way."""
        for wire in {side.wire for side in self.both if side.wire is not None}:
            wire.whole = False
            for side, most in zip(self.both, divmod(share, 10), strict=True):
                while len(wire.queues[side]) > most:
                    wire.queues[side].pop()

    def drop(self, side: Side) -> None:
        """The heartbeats stop: one end gives the link up, the other has still to notice."""
        side.drop()
        side.take_late_ack()

    def cut_frame(self, side: Side, share: int) -> None:
        """A frame that is not whole ends the link and changes nothing else."""
        if side.wire is not None and side.wire.queues[side]:
            octets = side.wire.queues[side].popleft()
            with pytest.raises(RemoteProtocolError) as caught:
                side.link.receive(octets[: len(octets) * share // 100])
            assert caught.value.code is FailCode.MALFORMED
            side.drop()

    def power_cut_while_hearing(self, side: Side, share: int) -> None:
        """What was written last is stored in part."""
        side.far.say(self.new_texts(side.far, 4, 3))
        for _ in range(share % 10):
            side.take()
        side.write()
        side.crash(share % 7)

    def two_ends_of_one_program(self, side: Side) -> None:
        """What was sent is lost, and the program ends once more before it knows that."""
        side.say(self.new_texts(side, 2, 3))
        self.deliver(2)
        side.crash(0)
        if side.resumable() is not None:
            side.resume()
            self.say_between_links(side)
            side.crash(None)

    @invariant()
    def what_is_stored_is_what_was_said_each_once_in_order(self) -> None:
        for side in self.both:
            delivered = side.far.journal.kept_view.delivered()
            assert all(one < two for one, two in pairwise(delivered))
            assert set(delivered) <= set(self.said[side])
            if delivered:
                pending = side.journal.kept_view.pending()
                early = {serial for serial in pending if serial < delivered[-1]}
                assert early <= set(delivered), "a text was overtaken"

    def teardown(self) -> None:
        self.heal()
        for side in self.both:
            view = side.far.journal.kept_view
            delivered = view.delivered()
            survived = side.journal.kept_view
            texts = [
                item.at
                for record in survived.records.values()
                for item in items_of(record.mine)
                if isinstance(item, Text)
            ]
            assert set(texts) <= set(delivered), "a text was lost"
            assert not survived.pending()
            assert len(set(delivered)) == len(delivered)
        for side in self.both:
            check_digest(side, side.far)

    def heal(self) -> None:
        for _ in range(12):
            self.settle_down()
            if all(side.complete for side in self.both) and not any(
                side.journal.kept_view.pending() for side in self.both
            ):
                return
            for side in self.both:
                side.drop()
                side.knock = None
            self.call(self.alice)
        pytest.fail("the two do not come to an end")

    def settle_down(self) -> None:
        """Let everything happen that can, the byes when all is said."""
        for side in self.both:
            if side.knock is not None:
                side.answer()
        moved = True
        while moved:
            moved = sum(side.take() for side in self.both) > 0
            for side in self.both:
                if side.unwritten or side.unsynced:
                    side.acknowledge()
                if side.unread:
                    side.read(side.unread)
                if not moved:
                    before = side.wire and side.conversation and side.outbound.state
                    side.bye()
                    moved = bool(before) and side.outbound.state is not before


def check_digest(speaker: Side, hearer: Side) -> None:
    """The last conversation is the same on both disks, and as the machines say."""
    assert speaker.conversation == hearer.conversation is not None
    digest = fresh_digest(speaker.conversation or b"", speaker.record.role)
    for chunk in speaker.record.mine:
        if not isinstance(decoded(chunk)[-1], Bye):
            digest.update(chunk.octets)
    assert hearer.inbound.digest == digest.digest()


def double(side: Side) -> None:
    """Let the next frame come twice, as a program that resends might have it."""
    if side.is_open and side.wire is not None and side.wire.queues[side]:
        octets = side.wire.queues[side][0]
        if octets[0] in {Kind.BATCH, Kind.ACK}:
            side.wire.queues[side].appendleft(octets)


ACTS: list[Callable[[Survival, Side], object]] = [
    *[lambda self, side: self.deliver(3)] * 4,
    *[lambda self, side: side.take()] * 3,
    *[lambda self, side: self.say(side, 3)] * 3,
    lambda self, side: self.say(side, 0, texts=3),
    lambda self, side: self.say(side, 20_000, texts=2),
    lambda self, side: self.say(side, 60_000),
    lambda self, side: self.say_between_links(side),
    *[lambda self, side: side.write()] * 2,
    *[lambda self, side: side.acknowledge()] * 3,
    lambda self, side: side.read(50_000),
    lambda self, side: side.read(10**6),
    lambda self, side: double(side),
    *[lambda self, side: self.go_on()] * 3,
    lambda self, side: side.bye(),
]

FAULTS: list[Callable[[Survival, Side, int], object]] = [
    *[lambda self, side, share: self.cut(share)] * 3,
    *[lambda self, side, share: self.drop(side)] * 2,
    lambda self, side, share: self.cut_frame(side, share),
    lambda self, side, share: self.call(side),
    lambda self, side, share: self.dial(side),
    lambda self, side, share: self.dial_anew(side),
    *[lambda self, side, share: side.crash(None)] * 2,
    lambda self, side, share: side.crash(share % 6),
    lambda self, side, share: self.power_cut_while_hearing(side, share),
    lambda self, side, share: self.two_ends_of_one_program(side),
]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("_round", range(30 if SOAK else 1))
def test_two_survive_whatever_befalls_them(_round: int) -> None:
    run_state_machine_as_test(
        Survival,
        settings=settings(
            max_examples=1_000,
            stateful_step_count=16,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
