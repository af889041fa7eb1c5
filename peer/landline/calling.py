"""Calling: from a name to a conversation, or to what keeps it from coming about.

Asks the broker where the callee is, dials, and waits for the answer; or takes
up a conversation that a program which died has left behind. Used by one
thread at a time.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress

import zmq

from landline.client import BrokerClient
from landline.conversation import Conversation
from landline.deadline import Deadline
from landline.device import DeviceKey
from landline.ends import Address, Dial, Engagements, Guest
from landline.errors import (
    ConversationBroken,
    Engaged,
    JournalUnusable,
    LandlineError,
    NotAdmitted,
    RecordsDiffer,
    Unavailable,
)
from landline.events import (
    CaughtUp,
    Connected,
    Delivered,
    Ended,
    EndpointReceived,
    Message,
    Progress,
    Ringing,
    SaidBye,
)
from landline.journal import Journal, KeptConversation
from landline.letters import HangUp, Opened, Over, Parties, Rang
from landline.line import Line
from landline_protocol.conversation import OutboundState
from landline_protocol.invite import Invite
from landline_protocol.limits import CONVERSATION_ID_OCTETS, FAREWELL_S, REDIAL_DIAL_S
from landline_protocol.link import Role
from landline_protocol.messages import Call, Claimed

ASK_S = 2.0
"""How long the broker may take to say where a callee is by now."""
RESUMABLE_MS = 600_000
"""How long after its last word a conversation of a program that died can go on."""
STALLED_S = 30.0
"""How long a delivery may go without a text that is confirmed, or the other's bye."""


class Caller:
    """Calls users on behalf of ``me``; ``journal`` opens the journal anew.

    A delivery has ``stalled_s`` seconds to get on, again and again.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        invite: Invite,
        key: DeviceKey,
        me: str,
        journal: Callable[[], Journal],
        engagements: Engagements,
        redial_s: float,
        stalled_s: float = STALLED_S,
    ) -> None:
        self.me = me
        self._context = context
        self._invite = invite
        self._key = key
        self._journal = journal
        self._engagements = engagements
        self._redial_s = redial_s
        self._stalled_s = stalled_s
        self._line: Line | None = None

    def call(
        self, name: str, client: BrokerClient, progress: Callable[[Progress], None], *, ring: bool
    ) -> Conversation:
        """Call a waiting user, and return when the call is accepted.

        Raises:
            LandlineError: nobody is there, or takes the call; see ``Peer.call``.
        """
        if self._engagements.has(name):
            raise Engaged(f"you talk to {name} already")
        with ExitStack() as stack:
            # No call is made that could not be kept.
            journal = self._journal()
            stack.callback(journal.close)
            claimed = _claim(client, name)
            ring_s = client.hello().policy.ring
            client.close()
            host = claimed.host or self._invite.host
            conversation = os.urandom(CONVERSATION_ID_OCTETS)
            parties = Parties(conversation, name, claimed.key, Role.CALLER, host, claimed.port)
            dial = Dial(
                self.me,
                Guest.new(parties),
                ring=ring,
                ring_s=ring_s,
                redial_s=self._redial_s,
                ask=lambda: self._ask(parties),
            )
            progress(EndpointReceived(name, host, claimed.port))
            stack.pop_all()  # the journal is the line's now
        return self._answered(dial, journal, progress)

    def resume(self, name: str, progress: Callable[[Progress], None]) -> Conversation | None:
        """Take up the conversation that a program which died had with ``name``, if it can go on.

        Raises:
            JournalUnusable: it cannot be read or written.
            RecordsDiffer: it ended, and the two sides do not hold the same.
        """
        with closing(self._journal()) as journal, journal.snapshot():
            found = [each for each in resumable(journal, name) if each.caller]
            if not found:
                return None
            kept = found[0]
            guest = Guest.known(_parties(kept), kept, journal)
        may_speak = guest.outbound.state is OutboundState.OPEN
        try:
            talk = self._answered(self._dial_again(guest), self._journal(), progress)
            if may_speak:
                return talk
            self._part(talk, progress)
        except (Unavailable, NotAdmitted, ConversationBroken):
            with closing(self._journal()) as journal:
                journal.finish(kept.id, complete=False)
        return None

    def deliver(self, name: str, client: BrokerClient, hear: Callable[[Message], None]) -> None:
        """Bring a user what the outbox holds for them, without ringing.

        ``hear`` is told what they say meanwhile.

        Raises:
            LandlineError: they are not there, or it broke off.
        """
        with self.call(name, client, lambda _: None, ring=False) as talk:
            talk.bye()
            patience = Deadline(self._stalled_s)
            while not patience.expired:
                event = talk.next_event(patience.remaining())
                if isinstance(event, Ended):
                    return
                if isinstance(event, Message):
                    hear(event)
                # Whatever else the other says or does brings nothing of this any further.
                if isinstance(event, Delivered | SaidBye):
                    patience = Deadline(self._stalled_s)
            talk.hang_up()
            raise ConversationBroken(
                f"the delivery did not get on: {name} confirmed nothing more, and said no bye"
            )

    def hang_up(self) -> None:
        """End what is being done now. Any thread may ask for it."""
        if self._line is not None:
            self._line.mailbox.put(HangUp())

    def _dial_again(self, guest: Guest) -> Dial:
        return Dial(
            self.me,
            guest,
            dial_s=REDIAL_DIAL_S,
            redial_s=self._redial_s,
            ask=lambda: self._ask(guest.parties),
        )

    def _part(self, talk: Conversation, progress: Callable[[Progress], None]) -> None:
        """Let a conversation end in which everything has been said here; tell what is heard."""
        try:
            patience = Deadline(self._stalled_s)
            while not patience.expired:
                events = talk.next_events(patience.remaining(FAREWELL_S))
                if not events:
                    break
                messages = [event for event in events if isinstance(event, Message)]
                if messages:
                    progress(CaughtUp(talk.other, messages))
            talk.close(linger=0.0)
        except (JournalUnusable, RecordsDiffer):
            raise
        except LandlineError:
            talk.hang_up()

    def _ask(self, parties: Parties) -> Address | None:
        """Ask the broker where the callee is by now."""
        with closing(BrokerClient(self._context, self._invite, self._key)) as client:
            try:
                claimed = client.ask(Call(parties.other, resume=True), Claimed, seconds=ASK_S)
            except LandlineError:
                return None
        if claimed.key != parties.key:
            return None
        return Address(claimed.host or self._invite.host, claimed.port)

    def _answered(
        self, dial: Dial, journal: Journal, progress: Callable[[Progress], None]
    ) -> Conversation:
        """Dial, wait until the callee has answered, and return the conversation."""
        name = dial.guest.parties.other
        self._line = line = Line(self._context, self._key, dial, journal, self._engagements)
        try:
            while True:
                notice = line.next()
                if isinstance(notice, Opened):
                    return Conversation(line, self.me, name)
                if isinstance(notice, Connected):
                    progress(notice)
                elif isinstance(notice, Rang):
                    progress(Ringing(name))
                elif isinstance(notice, Over):
                    raise notice.error or ConversationBroken("the call was broken off")
        except BaseException:
            line.stop()
            raise


def _claim(client: BrokerClient, name: str) -> Claimed:
    """Claim an endpoint where a user waits, or find the one that this device engages.

    A program that was killed when its call had just been taken has left the callee
    engaged, and no trace here: the callee lets the device in, and the call begins anew.
    """
    try:
        return client.ask(Call(name), Claimed)
    except Engaged:
        with suppress(Unavailable, NotAdmitted):
            return client.ask(Call(name, resume=True), Claimed)
        raise


def resumable(journal: Journal, name: str | None = None) -> list[KeptConversation]:
    """Return what programs that died have left behind and can go on, newest first."""
    since = time.time_ns() // 1_000_000 - RESUMABLE_MS
    return [each for each in journal.in_progress(name) if each.active_ms >= since]


def _parties(kept: KeptConversation) -> Parties:
    return Parties(kept.uuid, kept.other, kept.key, Role.CALLER, kept.host, kept.port, kept.id)
