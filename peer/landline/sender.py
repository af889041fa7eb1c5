"""The sender thread: it owns what goes out on one link, and the journal.

Its mailbox brings what the application says and what the receiver has heard
or seen acknowledged. It numbers, journals, batches and keeps the window; it
acknowledges what it has stored. It touches no network socket: what is to be
sent goes to the receiver through an inproc pair.
"""

import threading
from collections import deque
from contextlib import suppress
from queue import Empty

import zmq

from landline.errors import ConnectionLost, ConversationBroken, JournalUnusable, LandlineError
from landline.events import Delivered, Ended
from landline.journal import Journal, Row
from landline.line import (
    HANG_UP,
    Acked,
    Control,
    HangUp,
    Heard,
    Letter,
    LinkGone,
    Mailbox,
    Notices,
    Opened,
    Over,
    Read,
    Room,
    Say,
    SayBye,
    weight,
)
from landline_protocol.conversation import Outbound, OutboundState, Receipts, fresh_digest
from landline_protocol.errors import FailCode, RemoteProtocolError
from landline_protocol.frames import Bye, Fail, Text, encode
from landline_protocol.limits import WINDOW

SETTLE_S = 0.05
"""How long the mailbox has been empty when the confirmed number is written."""

# How many letters share one commit and one acknowledgement at most.
_LETTERS_A_TURN = 2_000


class Sender(threading.Thread):
    """The outbound half of one link, from its first letter to ``LinkGone``."""

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        journal: Journal,
        control: str,
        mailbox: Mailbox,
        notices: Notices,
        room: Room,
    ) -> None:
        super().__init__(name="landline-sender")
        self._context = context
        self._journal = journal
        self._control_address = control
        self._mailbox = mailbox
        self._notices = notices
        self._room = room
        self.bound = False
        self.ready = threading.Event()
        self._outbound: Outbound | None = None
        self._receipts = Receipts(WINDOW)
        self._conversation = 0
        self._said = 0
        self._rows: list[Row] = []
        self._sizes: deque[int] = deque()
        self._heard_digest = b""
        self._heard_texts = 0
        self._heard_bye = False
        self._ack_due = False
        self._settled = 0
        self._unsettled = False
        self._error: LandlineError | None = None
        self._leaving = False
        self._failed = False
        self._gone = False
        self._take_by_type = {
            Say: self._say,
            SayBye: self._say_bye,
            Read: self._read,
            Control: self._pass_on,
            HangUp: self._hang_up,
            Opened: self._open,
            Heard: self._hear,
            Acked: self._confirm,
            LinkGone: self._end,
        }

    def run(self) -> None:
        """Serve the mailbox until the receiver says that the link is gone."""
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
            self._error = self._error or ConversationBroken(f"the program is ending: {error}")
        finally:
            self._room.close()
            try:
                self._finish()
            finally:
                self._say_over()
                self.ready.set()

    def _letters(self) -> list[Letter]:
        """Wait for letters; an empty list says that none came for a while."""
        try:
            letters = [self._mailbox.get(timeout=SETTLE_S if self._unsettled else None)]
        except Empty:
            return []
        while len(letters) < _LETTERS_A_TURN and not self._mailbox.empty():
            letters.append(self._mailbox.get())
        return letters

    def _turn(self, letters: list[Letter]) -> None:
        for letter in letters:
            # One that fails must not hide the next, which may be LinkGone.
            try:
                self._take_by_type[type(letter)](letter)  # type: ignore[operator]  # keyed by it
            except Exception as error:  # noqa: BLE001 - whatever it is, both sides are told
                self._fail(error)
        if self._outbound is None or self._leaving:
            return
        try:
            self._store()
            self._send(self._outbound)
            if not letters:
                self._settle(self._outbound)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)

    def _store(self) -> None:
        """Write what was said and heard, before the wire and before the ack."""
        if self._rows:
            self._journal.store(self._conversation, self._rows)
            self._rows.clear()

    def _send(self, outbound: Outbound) -> None:
        before = outbound.sent
        for batch in outbound.batches():
            self._hand_over(batch)
        sent = min(outbound.sent - before, len(self._sizes))
        if sent:
            self._room.give(sum(self._sizes.popleft() for _ in range(sent)))
        if self._ack_due:
            self._hand_over(encode(self._receipts.ack()))
            self._ack_due = False
        if self._heard_bye and outbound.state is OutboundState.CONFIRMED:
            self._leave()

    def _settle(self, outbound: Outbound) -> None:
        """Write how far the other side has confirmed; nobody waits for that."""
        self._unsettled = False
        confirmed = min(outbound.confirmed, outbound.texts)
        if confirmed > self._settled:
            self._journal.confirm(self._conversation, confirmed)
            self._settled = confirmed

    # -- what the application says -------------------------------------------

    def _say(self, say: Say) -> None:
        self._said += 1
        self._rows.append(Row(True, self._said, say.at_ms, say.text))
        # Of what is said too late, the history and the count of the unconfirmed know.
        if self._outbound is not None and not self._leaving:
            self._sizes.append(weight(say.text))
            self._outbound.say(say.text, say.at_ms)

    def _say_bye(self, bye: SayBye) -> None:
        if self._outbound is not None and not self._leaving:
            self._outbound.bye(bye.at_ms, self._receipts.stored, self._heard_digest)

    def _read(self, read: Read) -> None:
        if self._receipts.read(read.octets):
            self._ack_due = True

    def _pass_on(self, control: Control) -> None:
        self._hand_over(encode(control.frame))

    def _hang_up(self, _: HangUp) -> None:
        self._leave()

    # -- what the receiver says ----------------------------------------------

    def _open(self, opened: Opened) -> None:
        self._conversation = self._journal.open_conversation(opened.conversation, opened.other)
        self._outbound = Outbound(opened.conversation, opened.role, opened.window)
        self._heard_digest = fresh_digest(opened.conversation, opened.role.other).digest()

    def _hear(self, heard: Heard) -> None:
        if self._outbound is None or self._failed:
            return
        number = heard.upto - len(heard.items)
        for item in heard.items:
            number += 1
            if type(item) is Text:
                self._rows.append(Row(False, number, item.at, item.text))
                self._heard_texts += 1
            elif type(item) is Bye:
                self._heard_bye = True
                self._outbound.check_agreement(item)
        self._heard_digest = heard.digest
        self._receipts.store(heard.upto, heard.octets)
        self._ack_due = True

    def _confirm(self, acked: Acked) -> None:
        if self._outbound is None or self._failed:
            return
        self._unsettled = True
        before = self._outbound.unconfirmed
        self._outbound.confirm(acked.ack)
        if self._outbound.unconfirmed < before:
            self._notices.put(Delivered(min(self._outbound.confirmed, self._outbound.texts)))

    def _end(self, gone: LinkGone) -> None:
        self._gone = True
        self._error = self._error or gone.error

    # -- how it ends ----------------------------------------------------------

    def _fail(self, error: Exception) -> None:
        """End the link because of an error; the first one is what is told."""
        if isinstance(error, JournalUnusable):
            farewell: Fail | None = Fail(FailCode.STORAGE, "the other side cannot store messages")
            told: LandlineError = error
        elif isinstance(error, zmq.ContextTerminated):
            farewell = None
            told = ConversationBroken("the program is ending")
        elif isinstance(error, RemoteProtocolError):
            farewell = Fail(error.code, str(error))
            told = ConversationBroken(f"the other side broke the protocol: {error}")
        else:
            farewell = None
            told = ConversationBroken(f"an error in this program: {error!r}")
            told.__cause__ = error
        self._failed = True
        self._error = self._error or told
        if farewell is not None and not self._leaving:
            self._hand_over(encode(farewell))
        self._leave()

    def _leave(self) -> None:
        if not self._leaving:
            self._leaving = True
            self._hand_over(HANG_UP)

    def _hand_over(self, octets: bytes) -> None:
        """Give the receiver a frame to send, unless it has gone: then ``LinkGone`` comes."""
        with suppress(zmq.Again):
            self._control.send(octets, zmq.NOBLOCK)

    def _finish(self) -> None:
        """Keep what was said and heard until the end, though nothing is sent any more."""
        with suppress(Empty):
            while True:
                letter = self._mailbox.get_nowait()
                if type(letter) is Say:
                    self._say(letter)
        try:
            if self._outbound is not None:
                self._store()
                self._settle(self._outbound)
        except JournalUnusable as error:
            if self._error is None or isinstance(self._error, ConversationBroken):
                self._error = error
        finally:
            self._journal.close()

    def _say_over(self) -> None:
        """Tell the application how it ended: both byes, or what is not confirmed."""
        outbound = self._outbound
        if outbound is None:
            self._notices.put(Over(self._error))
        elif self._complete(outbound):
            self._notices.put(Ended(outbound.texts, self._heard_texts))
            self._notices.put(Over(None))
        else:
            unconfirmed = self._said - min(self._said, outbound.confirmed)
            self._notices.put(Over(_with_count(self._error, unconfirmed)))

    def _complete(self, outbound: Outbound) -> bool:
        # When only the ack of our own bye is missing, the other side has it:
        # it has said bye, confirmed every text, and left.
        closing = outbound.state in (OutboundState.CLOSING, OutboundState.CONFIRMED)
        left = self._error is None or isinstance(self._error, ConnectionLost)
        return left and closing and self._heard_bye and outbound.unconfirmed == 0


def _with_count(error: LandlineError | None, unconfirmed: int) -> LandlineError:
    """Say how many messages may not have arrived; the journal's own error stays."""
    if error is not None and not isinstance(error, ConversationBroken):
        return error
    why = "you hung up before both had said bye" if error is None else str(error)
    messages = "message was" if unconfirmed == 1 else "messages were"
    kept = "; what was said is in the history" if unconfirmed else ""
    broken = ConversationBroken(
        f"the conversation broke off: {why}; {unconfirmed} {messages} not confirmed{kept}",
        unconfirmed,
    )
    broken.__cause__ = error
    return broken
