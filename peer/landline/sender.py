"""The sender thread: it owns what goes out on one line, and the journal.

Its mailbox brings what the application says and what the receiver has heard,
seen acknowledged, or lost. It numbers, journals, batches and keeps the
window; it acknowledges what it has stored. It touches no network socket:
what is to be sent goes to the receiver through an inproc pair.
"""

import threading
import time
from collections import deque
from contextlib import suppress
from enum import Enum, auto
from queue import Empty

import zmq

from landline.deadline import Deadline
from landline.ends import Engagements
from landline.errors import (
    ConnectionLost,
    ConversationBroken,
    JournalUnusable,
    LandlineError,
    RecordsDiffer,
)
from landline.events import Delivered, Ended
from landline.journal import Beginning, Journal
from landline.letters import (
    HANG_UP,
    PARTING,
    READY,
    STALE,
    Acked,
    Answer,
    Asked,
    Greeted,
    HangUp,
    Held,
    Letter,
    LineGone,
    LinkDown,
    LinkUp,
    Mailbox,
    Moved,
    Notices,
    Over,
    Parties,
    Read,
    Room,
    Said,
    SayBye,
    Settled,
    Stake,
    Store,
    Synced,
)
from landline.syncer import Syncer
from landline_protocol.conversation import Outbound, OutboundState, Receipts, joined
from landline_protocol.errors import FailCode, RemoteProtocolError
from landline_protocol.frames import Accept, Ask, Chunk, End, Fail, Stored, Text, encode
from landline_protocol.limits import ACK_S, ASKS_MAX, CHUNK_MAX, WINDOW
from landline_protocol.link import Role

SETTLE_S = 0.05
"""How long the mailbox has been empty when the confirmed number is written."""
INDEX_TEXTS = 128
"""How many texts are made searchable at a time when nothing else is to be done."""
POSTED_A_TURN = 512
"""How many texts of the outbox are said at a time."""

# How many letters share one commit and one acknowledgement at most.
_LETTERS_A_TURN = 2_000


class Phase(Enum):
    """How far a line has come towards what the application says now."""

    SILENT = auto()
    """Nobody has been greeted, or no link has been open yet."""
    SETTLING = auto()
    """The other is asked what it has stored of earlier conversations."""
    CARRYING = auto()
    """What the outbox holds is said first."""
    TALKING = auto()
    ENDING = auto()
    """The receiver is told to hang up; nothing is sent any more."""


class Sender(threading.Thread):
    """The outbound half of one line, from its first letter to ``LineGone``."""

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        journal: Journal,
        engagements: Engagements,
        control: str,
        mailbox: Mailbox,
        held: Held,
        notices: Notices,
        room: Room,
        redial_s: float,
    ) -> None:
        super().__init__(name="landline-sender")
        self._context = context
        self._journal = journal
        self._engagements = engagements
        self._control_address = control
        self._mailbox = mailbox
        self._held = held
        self._notices = notices
        self._room = room
        self._redial_s = redial_s
        self._syncer = Syncer(journal, mailbox)
        self._greeted: Greeted | None = None
        self.bound = False
        self.ready = threading.Event()
        self._phase = Phase.SILENT
        self._id: int | None = None
        self._outbound = Outbound(b"", Role.CALLER)
        self._receipts = Receipts(WINDOW)
        self._linked = False
        self._opened = False
        self._asked: list[bytes] = []
        self._answers: dict[bytes, int] = {}
        self._carried = 0
        self._delivered = 0
        self._chunks: list[Chunk] = []
        self._posted: list[int] = []
        self._heard: list[Chunk] = []
        self._heard_digest = b""
        self._bye_due: SayBye | None = None
        self._heard_bye = False
        self._heard_count = 0
        self._unsynced: deque[tuple[int, int]] = deque()
        self._sync_due = False
        self._ack_due = False
        self._end_said = False
        self._overdue: Deadline | None = None
        self._crowded: Deadline | None = None
        self._settled = 0
        self._busy = False
        self._error: LandlineError | None = None
        self._failed = False
        self._gone = False
        self._take_by_type = {
            Said: self._said,
            SayBye: self._say_bye,
            Read: self._read,
            Answer: self._answer,
            HangUp: self._hang_up,
            Greeted: self._greet,
            LinkUp: self._link_up,
            LinkDown: self._link_down,
            Store: self._store_due,
            Synced: self._synced,
            Acked: self._confirm,
            Asked: self._tell_stored,
            Settled: self._note_answer,
            Moved: self._note_place,
            LineGone: self._end,
        }

    def run(self) -> None:
        """Serve the mailbox until the receiver says that the line is gone."""
        try:
            with self._context.socket(zmq.PAIR) as self._control:
                self._control.linger = 0
                self._control.sndhwm = 0  # the window bounds what is under way
                self._control.bind(self._control_address)
                self.bound = True
                self.ready.set()
                while not self._gone:
                    self._turn(self._letters())
        except zmq.ZMQError as error:
            ending = self._context.closed or isinstance(error, zmq.ContextTerminated)
            why = "the program is ending" if ending else f"this program cannot talk: {error}"
            self._error = self._error or ConversationBroken(why)
        finally:
            try:
                self._finish(self._room.close())
            finally:
                self.ready.set()

    def _letters(self) -> list[Letter]:
        """Wait for letters; an empty list says that none came for a while."""
        try:
            if self._carrying:
                letters = [self._mailbox.get_nowait()]
            else:
                letters = [self._mailbox.get(timeout=self._patience_s())]
        except Empty:
            return []
        while len(letters) < _LETTERS_A_TURN and not self._mailbox.empty():
            letters.append(self._mailbox.get())
        return letters

    def _patience_s(self) -> float | None:
        if self._busy:
            return SETTLE_S
        due = self._overdue or self._crowded
        return None if due is None else due.remaining()

    def _turn(self, letters: list[Letter]) -> None:
        for letter in letters:
            # One that fails must not hide the next, which may be LineGone.
            try:
                self._take_by_type[type(letter)](letter)  # type: ignore[operator]  # keyed by it
            except Exception as error:  # noqa: BLE001 - whatever it is, both sides are told
                self._fail(error)
        if self._id is None or self._phase is Phase.ENDING:
            return
        try:
            self._say()
            self._acknowledge()
            self._watch()
            if not letters and not self._carrying:
                self._settle()
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)

    # -- what the application says -------------------------------------------

    def _said(self, _: Said) -> None:
        """It waits in the room until the turn is at its end."""

    def _say_bye(self, bye: SayBye) -> None:
        if self._outbound.state is OutboundState.OPEN:
            self._bye_due = bye

    def _read(self, read: Read) -> None:
        if self._receipts.read(read.octets):
            self._ack_due = True
        if self._crowded is not None and not self._receipts.crowded:
            self._crowded = None
            self._tell_ready()

    def _answer(self, answer: Answer) -> None:
        if type(answer.frame) is Accept:
            # No call is taken that could not be kept.
            self._begin()
        if not self._failed:
            self._hand_over(encode(answer.frame))

    def _hang_up(self, _: HangUp) -> None:
        # Who has finished takes nothing from the other by leaving.
        if self._phase is not Phase.ENDING and self._linked and not self._end_said:
            self._hand_over(encode(Fail(FailCode.HUNG_UP, "the other side hung up")))
        self._leave()

    # -- what goes out, once in each turn ------------------------------------

    def _say(self) -> None:
        """Number and journal what there is to be said, then send what the window lets go."""
        outbound = self._outbound
        if self._carrying:
            self._carry()
        if self._phase is Phase.TALKING:
            texts = self._room.take()
            if texts:
                self._chunks += outbound.say(texts)
            if self._bye_due is not None:
                at_ms, self._bye_due = self._bye_due.at_ms, None
                self._chunks.append(outbound.bye(at_ms, self._heard_count, self._heard_digest))
                if self._heard_bye and not self._linked and not outbound.unconfirmed:
                    self._hand_over(PARTING)
        if self._chunks:
            # What was heard before stands before it, also in the history.
            self._take_held()
            # What leaves the outbox must not come back there and be said twice.
            self._store(self._chunks, self._heard, durable=bool(self._posted))
        before = outbound.waiting_octets
        for batch in outbound.batches() if not self._asked else ():
            self._hand_over(batch)
        if before:
            self._room.hold(outbound.waiting_octets)

    def _carry(self) -> None:
        """Say what waits in the outbox, some at a time, before anything else."""
        assert self._greeted is not None
        is_open = self._outbound.state is OutboundState.OPEN
        most = POSTED_A_TURN if self._greeted.carries and is_open else 0
        posted = self._journal.posted(self._known.other, most)
        if posted:
            self._chunks += self._outbound.say([Text(each.at_ms, each.text) for each in posted])
            self._posted = [each.id for each in posted]
            self._carried = self._outbound.texts
        else:
            self._phase = Phase.TALKING

    def _acknowledge(self) -> None:
        """Store what was heard; what has survived to be there after a power cut is confirmed."""
        if self._sync_due:
            self._sync_due = False
            if self._heard:
                self._store([], self._heard, durable=False)
            if self._syncer.ident is None:
                self._syncer.start()
            self._syncer.sync(self._heard_count)
        if not self._linked:
            return
        if self._ack_due:
            self._ack_due = False
            self._hand_over(encode(self._receipts.ack()))
        if self._parted and not self._unsynced and not self._end_said:
            self._end_said = True
            self._hand_over(encode(End()))

    def _watch(self) -> None:
        """Let go of a link on which nothing of what was sent is acknowledged in time.

        And of the line, when between two links nothing of what has come is read in time.
        """
        if self._crowded is not None and self._crowded.expired:
            self._error = self._error or ConnectionLost(
                "the connection was lost, and what had come before was not read here"
            )
            self._leave()
        if not self._outbound.under_way:
            self._overdue = None
        elif self._overdue is None:
            self._overdue = Deadline(ACK_S)
        elif self._overdue.expired:
            self._overdue = None
            self._hand_over(STALE)

    def _store(self, chunks: list[Chunk], heard: list[Chunk], *, durable: bool) -> None:
        assert self._id is not None
        self._journal.store(
            self._id, chunks, heard, durable=durable, posted=self._posted, at_ms=_now_ms()
        )
        chunks.clear()
        heard.clear()
        self._posted = []

    def _settle(self) -> None:
        """Do what nobody waits for: note what is confirmed, make some more searchable."""
        assert self._id is not None
        self._note_confirmed()
        self._busy = self._journal.index(INDEX_TEXTS)

    def _note_confirmed(self) -> None:
        assert self._id is not None
        if self._outbound.confirmed > self._settled:
            self._journal.confirm(self._id, self._outbound.confirmed)
            self._settled = self._outbound.confirmed
            self._journal.sweep(self._id)

    # -- what the receiver says ----------------------------------------------

    def _greet(self, greeted: Greeted) -> None:
        self._greeted = greeted

    def _begin(self) -> None:
        """Begin the conversation in the journal, or take it up again from there."""
        assert self._greeted is not None
        parties = self._greeted.parties
        self._outbound = self._greeted.outbound
        self._heard_digest = self._greeted.digest
        if parties.stored is not None:
            self._take_up(parties.stored, self._greeted)
            return
        self._journal.sweep()
        self._id = self._journal.begin(
            Beginning(
                uuid=parties.conversation,
                other=parties.other,
                key=parties.key,
                caller=parties.role is Role.CALLER,
                host=parties.host,
                port=parties.port,
                at_ms=_now_ms(),
            )
        )

    def _take_up(self, stored: int, greeted: Greeted) -> None:
        self._settled = self._outbound.confirmed
        self._carried = self._outbound.texts
        if self._outbound.state is not OutboundState.OPEN:
            self._room.put_bye(_now_ms())
        self._receipts.restore(greeted.heard)
        self._heard_count = greeted.heard
        self._heard_bye = greeted.heard_bye
        self._id = stored

    def _link_up(self, link: LinkUp) -> None:
        if self._id is None:
            self._begin()
        if self._failed:
            return
        self._linked = self._opened = True
        self._end_said = False
        self._count_delivered(self._outbound.resume(link.resume, link.window))
        self._room.hold(self._outbound.waiting_octets)
        if self._phase is Phase.SILENT:
            # The oldest, should there be more than can be asked.
            self._asked = self._journal.unsettled(self._known.other)[-ASKS_MAX:]
            self._phase = Phase.SETTLING
        self._answers.clear()
        for conversation in reversed(self._asked):
            self._hand_over(encode(Ask(conversation)))
        self._settle_all()

    def _link_down(self, _: LinkDown) -> None:
        """Store all that was heard; only then may another link greet.

        And only when it can be offered a window: else whoever breaks one link after
        the other could fill the memory of a side whose application does not read.
        """
        if self._phase is Phase.ENDING:
            return
        self._store_heard()
        self._linked = False
        self._outbound.suspend()
        self._note_confirmed()
        if self._receipts.crowded:
            self._crowded = Deadline(self._redial_s)
        else:
            self._tell_ready()

    def _tell_ready(self) -> None:
        """Tell the receiver from where a link can go on, and what is at stake."""
        outbound, window = self._outbound, self._receipts.resume()
        stake = Stake.TEXTS
        if self._parted:
            stake = Stake.NOTHING
        elif self._heard_bye and outbound.state is not OutboundState.OPEN:
            stake = Stake.TEXTS if outbound.unconfirmed else Stake.BYE
        self._hand_over(READY.pack(window, stake, outbound.confirmed, outbound.sent))

    def _store_due(self, _: Store) -> None:
        self._take_held()
        self._sync_due = bool(self._unsynced)

    def _take_held(self) -> None:
        """Take what was heard on the link that is open, to be stored in this turn."""
        chunks: list[Chunk] = []
        # Without a link ``LinkUp`` has still to come, and what was heard after it waits.
        while self._linked and not self._held.empty():
            heard = self._held.get()
            if self._failed:
                continue
            if heard.bye is not None:
                self._outbound.check_agreement(heard.bye)
                self._heard_bye = True
                self._receipts.end()
            chunks.append(heard.chunk)
            self._heard_digest = heard.digest
            self._heard_count = heard.chunk.last
            self._unsynced.append((heard.chunk.last, len(heard.chunk.octets)))
            self._busy = True
        self._heard += joined(chunks)

    def _synced(self, synced: Synced) -> None:
        if synced.error is not None:
            raise synced.error
        while self._unsynced and self._unsynced[0][0] <= synced.upto:
            self._receipts.store(*self._unsynced.popleft())
            self._ack_due = True

    def _store_heard(self) -> None:
        """Store all that was heard, and wait until it survives a power cut."""
        self._take_held()
        if self._heard:
            self._store([], self._heard, durable=False)
        if self._unsynced:
            self._journal.sync()
            self._synced(Synced(self._heard_count, None))

    def _confirm(self, acked: Acked) -> None:
        if self._id is not None and not self._failed and self._linked:
            self._count_delivered(self._outbound.confirm(acked.ack))

    def _count_delivered(self, newly: int) -> None:
        if not newly:
            return
        self._busy = True
        self._overdue = None
        texts = min(self._outbound.confirmed, self._outbound.texts)
        if texts > self._delivered:
            self._delivered = texts
            self._notices.put(Delivered(max(0, texts - self._carried)))

    def _tell_stored(self, asked: Asked) -> None:
        if self._greeted is not None:
            stored = self._journal.heard(asked.conversation, self._known.other, self._known.key)
            self._hand_over(encode(Stored(asked.conversation, stored)))

    def _note_answer(self, settled: Settled) -> None:
        self._answers[settled.conversation] = settled.upto
        self._settle_all()

    def _settle_all(self) -> None:
        """Note what the other has stored of earlier conversations; the rest is said again.

        The answers come in any order. What is settled last is said first: the oldest.
        """
        if self._phase is Phase.SETTLING and len(self._answers) == len(self._asked):
            for conversation in self._asked:
                self._journal.settle(conversation, self._answers[conversation])
            self._asked.clear()
            self._phase = Phase.CARRYING

    def _note_place(self, moved: Moved) -> None:
        if self._id is not None:
            self._journal.moved(self._id, moved.host, moved.port)

    def _end(self, gone: LineGone) -> None:
        self._gone = True
        self._error = self._error or gone.error

    # -- how it ends ----------------------------------------------------------

    def _fail(self, error: Exception) -> None:
        """End the line because of an error; the first one is what is told."""
        farewell: Fail | None = None
        if isinstance(error, JournalUnusable):
            farewell = Fail(FailCode.STORAGE, "the other side cannot store messages")
            told: LandlineError = error
        elif isinstance(error, zmq.ContextTerminated):
            told = ConversationBroken("the program is ending")
        elif isinstance(error, RemoteProtocolError):
            farewell = Fail(error.code, str(error))
            if error.code == FailCode.DISAGREEMENT:
                told = RecordsDiffer(self._known.other)
            else:
                told = ConversationBroken(f"the other side broke the protocol: {error}")
        else:
            told = ConversationBroken(f"an error in this program: {error!r}")
            told.__cause__ = error
        self._failed = True
        self._error = self._error or told
        if farewell is not None and self._phase is not Phase.ENDING:
            self._hand_over(encode(farewell))
        self._leave()

    def _leave(self) -> None:
        if self._phase is not Phase.ENDING:
            self._phase = Phase.ENDING
            self._hand_over(HANG_UP)

    def _hand_over(self, octets: bytes) -> None:
        """Give the receiver a frame to send, unless it has gone: then ``LineGone`` comes."""
        with suppress(zmq.Again):
            self._control.send(octets, zmq.NOBLOCK)

    def _finish(self, put: int) -> None:
        """Keep what was said until the end, close the journal, and say how it ended."""
        self._syncer.stop()
        try:
            self._keep_said()
            if self._id is not None:
                self._keep_rest(self._id)
        except JournalUnusable as error:
            if isinstance(self._error, ConversationBroken | JournalUnusable | None):
                self._error = error
        finally:
            self._journal.close()
            # Whoever reads that it is over may call again.
            self._engagements.give(self._mailbox)
            self._say_over(put)

    def _keep_said(self) -> None:
        """Store what was said too late, or when the journal failed; the next meeting delivers it.

        Raises:
            JournalUnusable: it says how many messages are kept nowhere.
        """
        texts = self._room.take()
        try:
            if self._chunks:
                self._store(self._chunks, [], durable=True)
            if texts:
                self._journal.post(self._known.other, [(text.at, text.text) for text in texts])
        except JournalUnusable as error:
            numbered = self._outbound.texts + 1 - self._chunks[0].first if self._chunks else 0
            # Those of the outbox are still there.
            lost = numbered - len(self._posted) + len(texts)
            raise JournalUnusable(f"{error}; {_not_kept(lost)}" if lost else str(error)) from error

    def _keep_rest(self, conversation: int) -> None:
        """Store what was heard and confirmed until the end, and that it is the end."""
        if not self._opened and self._known.stored is None:
            # The accept never went out: the caller may say the same hello again.
            self._journal.discard(conversation)
            return
        if not self._failed:
            self._store_heard()
        self._note_confirmed()
        self._journal.finish(conversation, complete=self._complete)
        self._journal.sweep(conversation)

    def _say_over(self, put: int) -> None:
        """Tell the application how it ended: both byes, or what is not confirmed."""
        outbound = self._outbound
        if self._id is None:
            self._notices.put(Over(self._error))
        elif self._complete:
            self._notices.put(Ended(outbound.texts, self._heard_count - 1))
            self._notices.put(Over(None))
        else:
            said = self._carried + put
            unconfirmed = max(0, said - min(outbound.confirmed, outbound.texts))
            self._notices.put(Over(_with_count(self._error, unconfirmed)))

    @property
    def _carrying(self) -> bool:
        """Whether more of the outbox can be said now."""
        return self._phase is Phase.CARRYING and self._outbound.waiting_octets <= CHUNK_MAX

    @property
    def _parted(self) -> bool:
        """Whether both have said bye and the other has confirmed ours."""
        return self._heard_bye and self._outbound.state is OutboundState.CONFIRMED

    @property
    def _complete(self) -> bool:
        # When only the ack of our own bye is missing, the other side has it:
        # it has said bye, confirmed every text, and left.
        outbound = self._outbound
        closing = outbound.state in (OutboundState.CLOSING, OutboundState.CONFIRMED)
        left = self._error is None or isinstance(self._error, ConnectionLost)
        return left and closing and self._heard_bye and outbound.unconfirmed == 0

    @property
    def _known(self) -> Parties:
        assert self._greeted is not None
        return self._greeted.parties


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _not_kept(texts: int) -> str:
    if texts == 1:
        return "the last message that you said is not kept"
    return f"the last {texts} messages that you said are not kept"


def _with_count(error: LandlineError | None, unconfirmed: int) -> LandlineError:
    """Say how many messages may not have arrived; the journal's own error stays."""
    if error is not None and not isinstance(error, ConversationBroken):
        return error
    why = "you hung up before both had said bye" if error is None else str(error)
    outcome = "all that you said was delivered"
    if unconfirmed:
        messages = "message was" if unconfirmed == 1 else "messages were"
        outcome = (
            f"{unconfirmed} {messages} not confirmed;"
            " what is not delivered is kept for the next call"
        )
    broken = ConversationBroken(f"the conversation broke off: {why}; {outcome}", unconfirmed)
    broken.__cause__ = error
    return broken
