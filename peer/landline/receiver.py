"""The receiver thread: it owns the PAIR sockets of one line, one after the other.

Its poller watches the wire, the sender's inproc pair and the socket's
monitor. Frames that come are checked, handed to the application at once and
to the sender for the journal; frames that the sender wants sent are sent. A
link that dies is replaced by another. It numbers nothing, stores nothing and
acknowledges nothing.
"""

import threading
from contextlib import ExitStack
from typing import NoReturn, cast

import zmq

from landline import descriptors
from landline.deadline import Deadline
from landline.device import DeviceKey
from landline.ends import Dial, Engagements, Guest, Listen
from landline.errors import (
    ConnectionLost,
    ConversationBroken,
    Declined,
    Engaged,
    JournalUnusable,
    LandlineError,
    NoAnswer,
    Offline,
    RecordsDiffer,
    Refused,
    Unavailable,
)
from landline.events import Connected, Event, Message, Reconnected, Reconnecting, SaidBye
from landline.letters import (
    HANG_UP,
    PARTING,
    READY,
    STALE,
    STORE,
    Acked,
    Answer,
    Arrived,
    Asked,
    Bound,
    Greeted,
    Heard,
    Held,
    Knocked,
    LineGone,
    LinkDown,
    LinkUp,
    Mailbox,
    Moved,
    Notices,
    Opened,
    Parties,
    Rang,
    Settled,
    Stake,
)
from landline.link import Garbled, Happening, Link, Overtaken
from landline.pair import GOODBYE_MS
from landline.redial import Redial
from landline.visible import visible
from landline_protocol import VERSION
from landline_protocol.conversation import InboundState
from landline_protocol.errors import FailCode, RemoteProtocolError
from landline_protocol.frames import (
    Accept,
    Ack,
    Ask,
    Batch,
    Bye,
    Chunk,
    Decline,
    End,
    Fail,
    Frame,
    Hello,
    Kind,
    Refuse,
    Stored,
    Text,
    Welcome,
    decode,
    encode,
)
from landline_protocol.limits import (
    FAREWELL_S,
    HEARTBEAT_INTERVAL_MS,
    HEARTBEAT_TIMEOUT_MS,
    REDIAL_DIAL_S,
    WINDOW,
)
from landline_protocol.link import LinkState

HOLD_S = 0.02
"""How long what was heard may wait to be stored and acknowledged."""

_BEAT_S = HEARTBEAT_INTERVAL_MS / 1_000
_BEATS_MISSED_MOST = HEARTBEAT_TIMEOUT_MS // HEARTBEAT_INTERVAL_MS
# As how many octets a small frame counts that says nothing new.
_IDLE_FRAME_OCTETS = 1_024
# Other work gets its turn even when a peer floods this one with frames.
_FRAMES_A_TURN = 256


class LineOver(Exception):
    """There will be no link any more; ``error`` says why, or is ``None`` if all was said."""

    def __init__(self, error: LandlineError | None) -> None:
        super().__init__()
        self.error = error


class LinkLost(Exception):
    """This link is dead; ``error`` says why, should there be no other."""

    def __init__(self, error: LandlineError) -> None:
        super().__init__()
        self.error = error


class _CutOff(Offline):
    """The link of a call broke, or was of no use, before the call was accepted."""


class Receiver(threading.Thread):
    """One line: a call, and the conversation that it becomes, over as many links as it takes."""

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        key: DeviceKey,
        end: Dial | Listen,
        engagements: Engagements,
        control: str,
        mailbox: Mailbox,
        held: Held,
        notices: Notices,
    ) -> None:
        super().__init__(name="landline-receiver")
        self._context = context
        self._key = key
        self._end = end
        self._engagements = engagements
        self._control_address = control
        self._mailbox = mailbox
        self._held = held
        self._notices = notices
        self._guest: Guest | None = end.guest if isinstance(end, Dial) else None
        self._redial = Redial(end)
        self._port = 0
        self._begun = False
        self._window = WINDOW
        self._said = [0, 0]
        self._their_resume = 1
        self._their_window = 0
        self._deadline = Deadline(None)
        self._beat = Deadline(None)
        self._beats_missed = 0
        self._sign = b""
        self._idle_octets = 0
        self._ack: Ack | None = None
        self._acked: Ack | None = None
        self._held_octets = 0
        self._held_until = Deadline(None)
        self._leaving = False
        self._cut_off = False
        self.ready = threading.Event()

    def run(self) -> None:
        """Serve one link after the other until the line is over."""
        error: LandlineError | None = ConversationBroken("the program is ending")
        try:
            with self._context.socket(zmq.PAIR) as self._control:
                self._control.linger = 0
                self._control.rcvhwm = 0
                self._control.connect(self._control_address)
                self.ready.set()
                while True:
                    self._reconsider(self._serve_link())
        except LineOver as over:
            error = over.error
        except LandlineError as failed:
            error = failed
        except zmq.ContextTerminated:
            pass
        except Exception as failed:  # noqa: BLE001 - whatever it is, the application is told
            error = self._broken(f"an error in this program: {failed!r}")
            error.__cause__ = failed
        finally:
            self._tell_sender()
            self._mailbox.put(LineGone(error))
            self.ready.set()

    def _serve_link(self) -> LandlineError:
        """Serve one link, and return why there has to be another."""
        try:
            with ExitStack() as sockets:
                self._link = Link(self._context, self._key, self._end, sockets, goes_on=self._begun)
                self._start()
                self._serve()
        except LinkLost as lost:
            return lost.error
        except zmq.ZMQError as error:
            if self._begun and descriptors.lacked(error):
                return ConnectionLost("too many files are open for another connection")
            raise

    def _start(self) -> None:
        self._end_said = self._end_heard = self._shaken = False
        self._beat = Deadline(None)
        if isinstance(self._end, Listen):
            self._listen(self._end)
            return
        if not self._begun:
            self._engage(self._end.guest.parties.other)
        most = REDIAL_DIAL_S if self._begun else None
        self._deadline = Deadline(self._redial.patience.remaining(most))
        if not self._link.connect(self._redial.address, self._known.parties.key):
            raise LinkLost(self._unreachable())

    def _listen(self, listen: Listen) -> None:
        self._deadline = self._redial.patience
        if self._begun:
            if not self._link.bind(self._port):
                raise LinkLost(ConnectionLost(f"port {self._port} is taken by another program"))
            return
        self._port = self._link.bind_any(listen.port)
        self._notices.put(Bound(self._port))

    def _engage(self, other: str) -> None:
        """Note with whom this line is; two lines with one user would cross."""
        if not self._engagements.take(other, self._mailbox):
            raise LineOver(Engaged(f"{visible(other)} is being talked to already; try again"))

    def _serve(self) -> NoReturn:
        link = self._link
        poller = zmq.Poller()
        for each in (link.socket, self._control, link.monitor):
            poller.register(each, zmq.POLLIN)
        stuck = False
        while True:
            if stuck != link.stuck:
                stuck = not stuck
                poller.modify(link.socket, zmq.POLLIN | (zmq.POLLOUT if stuck else 0))
            alarm = self._deadline.first(self._beat, self._held_until)
            ready = dict(poller.poll(alarm.remaining_ms()))
            # The wire before the monitor: what came before a disconnection counts.
            if link.socket in ready:
                self._take_wire()
            if self._control in ready:
                self._take_control()
            if stuck:
                self._flush()
            if link.monitor in ready:
                self._take_monitor()
            # After what has come, and however much of it comes.
            if alarm.expired:
                self._take_time()

    def _take_time(self) -> None:
        if self._held_until.expired:
            self._tell_sender()
        if self._deadline.expired:
            self._too_late()
        if self._beat.expired:
            self._heartbeat()

    def _heartbeat(self) -> None:
        """Show the other side that this one is there, and see whether it is, too.

        Beats are counted, not seconds: of those that a stopped program or a
        sleeping machine has missed itself, none counts.
        """
        self._beat = Deadline(_BEAT_S)
        self._idle_octets = 0
        if self._link.flooded():
            raise self._dropped()
        if self._leaving or self._link.state is not LinkState.OPEN:
            return
        spoke, heard = self._link.beat()
        self._beats_missed = 0 if heard else self._beats_missed + 1
        if self._beats_missed >= _BEATS_MISSED_MOST:
            raise self._dropped()
        if not spoke:
            self._link.forward(self._sign)

    # -- between two links ---------------------------------------------------

    def _reconsider(self, error: LandlineError) -> None:
        """Decide whether another link is tried, and wait until it is time for that."""
        if self._leaving or not (self._begun or self._may_dial_again(error)):
            raise LineOver(error)
        if self._begun and not self._redial.under_way:
            self._tell_sender()
            self._mailbox.put(LinkDown())
            self._redial.begin(self._settled_down())
            if not self._redial.parting:
                self._notices.put(Reconnecting(self._other))
        if self._redial.stake is Stake.NOTHING and isinstance(error, Unavailable | Refused):
            # The callee lets nobody back in: it had finished, too.
            raise LineOver(None)
        if self._redial.patience.expired:
            raise LineOver(self._for_good(error))
        self._rest(Deadline(self._redial.pause()))
        if self._redial.look_up():
            self._mailbox.put(Moved(*self._redial.address))

    def _for_good(self, error: LandlineError) -> LandlineError:
        """Return how a line ends that no other link could be found for."""
        if self._begun and not isinstance(error, ConversationBroken):
            why, _, _ = str(error).partition(";")
            return ConnectionLost(f"the connection was lost, and {why}")
        if self._cut_off:
            return Offline(
                f"the call with {self._whom} was cut off, and they are not back; call again later"
            )
        return error

    def _may_dial_again(self, error: LandlineError) -> bool:
        """Whether a call that has not begun is tried again: its link was there, and broke.

        The callee needs a moment to listen anew; nobody can be reached meanwhile.
        """
        self._cut_off = self._cut_off or isinstance(error, _CutOff)
        return isinstance(self._end, Dial) and self._cut_off

    def _settled_down(self) -> Stake:
        """Wait until all that was heard is stored; note from where, return for what, to go on."""
        while (octets := self._control.recv()) != HANG_UP:
            # Frames for the link that is dead come before it, and what was said of
            # the outage before that link.
            if octets[0] == 0 and octets not in (PARTING, STALE):
                self._window, stake, *self._said = READY.unpack(octets)
                return Stake(stake)
        raise LineOver(None)

    def _rest(self, pause: Deadline) -> None:
        if self._control.poll(pause.remaining_ms()):
            octets = self._control.recv()
            if octets == HANG_UP:
                raise LineOver(None)
            if octets == PARTING:
                self._redial.lower(Stake.BYE)

    # -- what comes from the wire -------------------------------------------

    def _take_wire(self) -> None:
        """Take what has come, up to the first frame that is not an ack.

        To look whether another is there costs more than the next turn.
        """
        try:
            for _ in range(_FRAMES_A_TURN):
                frame = self._link.receive()
                if type(frame) is Ack:
                    self._note_ack(frame)
                    continue
                self._tell_acked()
                if frame is not None:
                    self._take_frame(frame)
                return
        except (Garbled, Overtaken):
            raise self._dropped() from None
        except RemoteProtocolError as error:
            self._fail(error)
        finally:
            self._tell_acked()

    def _tell_acked(self) -> None:
        if self._ack is not None:
            self._mailbox.put(Acked(self._ack))
            self._acked, self._ack = self._ack, None

    def _note_ack(self, ack: Ack) -> None:
        """Keep the one ack of this turn that says most: a flood of them is one letter."""
        if self._acked is not None and ack.upto <= self._acked.upto:
            self._note_idle(0)
            if ack == self._acked:
                return  # a sign of life
        if self._ack is None or (self._ack.upto, self._ack.window) < (ack.upto, ack.window):
            self._ack = ack

    def _take_frame(self, frame: Frame) -> None:
        match frame:
            case Batch():
                self._hear(frame)
            case Hello():
                self._greet(frame)
            case Welcome():
                self._welcomed(frame)
            case Accept():
                self._opened()
            case Decline():
                raise LineOver(self._declined(frame))
            case Refuse():
                raise LineOver(self._refused(frame))
            case Fail():
                raise LineOver(self._given_up(frame))
            case Ask():
                self._asked(frame)
            case End():
                self._note_idle(0)
                self._end_heard = True
                self._part()
            case Stored():
                self._mailbox.put(Settled(frame.conversation, frame.upto))

    def _hear(self, batch: Batch) -> None:
        inbound = self._known.inbound
        before = inbound.octets
        new = inbound.hear(batch)
        if not new.items:
            self._note_idle(len(batch.octets))  # heard before
            return
        other = self._other
        events: list[Event] = [
            Message(other, item.text, number, item.at)
            if type(item) is Text
            else SaidBye(other, item.at)
            for number, item in enumerate(new.items, new.first)
        ]
        octets = inbound.octets - before
        last = new.items[-1]
        bye = last if type(last) is Bye else None
        self._held.put(Heard(Chunk(new.first, len(new.items), new.octets), inbound.digest, bye))
        if not self._held_octets:
            self._held_until = Deadline(HOLD_S)
        self._held_octets += octets
        # Whoever waits for it runs as soon as this thread does not: little comes after it.
        self._notices.put(Arrived(events, octets))
        if self._held_octets >= WINDOW // 8 or bye is not None:
            self._tell_sender()

    def _note_idle(self, octets: int) -> None:
        """Count what says nothing new, until the next beat.

        Raises:
            RemoteProtocolError: it is more than anybody has to say in a second.
        """
        self._idle_octets += max(octets, _IDLE_FRAME_OCTETS)
        if self._idle_octets > WINDOW:
            raise RemoteProtocolError(FailCode.OVERRUN, "a flood of frames that say nothing new")

    def _tell_sender(self) -> None:
        """Let the sender store what was heard, all at once.

        It waits a moment for more, and for the reply, if the application has one.
        """
        if self._held_octets:
            self._mailbox.put(STORE)
            self._held_octets = 0
            self._held_until = Deadline(None)

    def _asked(self, ask: Ask) -> None:
        if ask.conversation == self._known.parties.conversation:
            raise RemoteProtocolError(FailCode.UNEXPECTED, "an ask that is not in order")
        self._mailbox.put(Asked(ask.conversation))

    # -- how a link begins ---------------------------------------------------

    def _greet(self, hello: Hello) -> None:
        """Take the caller's hello: a call, or the conversation that goes on."""
        assert isinstance(self._end, Listen)
        if self._begun and self._forsaken(hello):
            # It is cut off, and gets through when this line has made room.
            raise LineOver(self._broken(f"{self._other} has begun another conversation"))
        try:
            guest = self._end.admit(hello, self._link.knocker, self._guest)
        except JournalUnusable:
            self._link.send(Refuse(FailCode.STORAGE, "the other side cannot store messages"))
            raise
        if isinstance(guest, Refuse):
            self._link.send(guest)
            raise LinkLost(self._broken(guest.say))
        if self._guest is None:
            self._said = [guest.outbound.confirmed, guest.outbound.said]
        if not self._possible(hello.resume):
            self._link.send(
                Refuse(FailCode.UNKNOWN_CONVERSATION, "this conversation cannot go on from there")
            )
            raise LineOver(self._broken(f"{hello.caller} has lost the thread of it"))
        self._guest = guest
        if not self._begun:
            self._meet(hello, guest.parties)
        resume = guest.inbound.heard + 1
        self._their_resume, self._their_window = hello.resume, hello.window
        self._link.send(Welcome(VERSION, hello.conversation, resume, self._window))
        if self._begun:
            self._link.send(Accept())
            self._opened()

    def _forsaken(self, hello: Hello) -> bool:
        """Whether the caller calls anew: then it will not resume what was."""
        parties, knocker = self._known.parties, self._link.knocker
        same = (hello.caller, knocker) == (parties.other, (parties.other, parties.key))
        return same and hello.resume == 1 and hello.conversation != parties.conversation

    def _meet(self, hello: Hello, parties: Parties) -> None:
        """Announce who calls: it rings, unless the conversation just goes on."""
        assert isinstance(self._end, Listen)
        try:
            self._engage(parties.other)
        except LineOver:
            self._link.send(Refuse(FailCode.UNEXPECTED, "another conversation with you is on"))
            raise
        resumed = parties.stored is not None
        self._deadline = Deadline(self._end.ring_s)
        self._greeted(carries=hello.ring)
        self._notices.put(Knocked(hello, parties.key, resumed))
        if resumed:
            self._mailbox.put(Answer(Accept()))

    def _welcomed(self, welcome: Welcome) -> None:
        assert isinstance(self._end, Dial)
        fits = (VERSION, self._known.parties.conversation)
        if (welcome.version, welcome.conversation) != fits:
            raise RemoteProtocolError(FailCode.UNEXPECTED, "the welcome does not fit the hello")
        if not self._begun:
            outbound = self._known.outbound
            self._said = [outbound.confirmed, outbound.said]
        if not self._possible(welcome.resume):
            raise RemoteProtocolError(
                FailCode.UNKNOWN_CONVERSATION, f"nothing here can go on from item {welcome.resume}"
            )
        self._their_resume, self._their_window = welcome.resume, welcome.window
        if self._known.parties.stored is None and not self._begun:
            # The callee says when it has rung long enough; this is for one that does not.
            self._deadline = Deadline(self._end.ring_s + self._end.grace_s)
            self._notices.put(Rang())

    def _possible(self, resume: int) -> bool:
        """Whether the other side can expect this number next (SPEC section 6.5)."""
        confirmed, said = self._said
        return confirmed < resume <= said + 1

    def _opened(self) -> None:
        guest = self._known
        guest.inbound.resume(self._window)
        self._deadline = Deadline(None)
        self._acked = None
        self._sign = encode(Ack(guest.inbound.heard, self._window))
        self._beat, self._beats_missed = Deadline(_BEAT_S), 0
        if isinstance(self._end, Dial) and not self._begun:
            self._greeted(carries=True)
        # The sender first: what the application says comes after it in the mailbox.
        self._mailbox.put(LinkUp(self._their_resume, self._their_window))
        if not self._begun:
            self._notices.put(Opened())
        elif not self._redial.parting:
            self._notices.put(Reconnected(self._other))
        self._begun = True
        self._redial.end()

    def _greeted(self, *, carries: bool) -> None:
        guest, inbound = self._known, self._known.inbound
        heard_bye = inbound.state is InboundState.CLOSED
        self._mailbox.put(
            Greeted(
                guest.parties, guest.outbound, inbound.heard, heard_bye, inbound.digest, carries
            )
        )

    def _declined(self, decline: Decline) -> LandlineError:
        if decline.code == FailCode.NO_ANSWER:
            return NoAnswer(f"{self._other} does not answer; try again later")
        say = f": {visible(decline.say)}" if decline.say else ""
        return Declined(f"{self._other} declined the call{say}")

    def _refused(self, refuse: Refuse) -> LandlineError:
        say = f"{self._other}'s program refuses: {visible(refuse.say)}"
        return ConversationBroken(say) if self._begun else Refused(say)

    def _given_up(self, fail: Fail) -> LandlineError:
        if fail.code == FailCode.DISAGREEMENT and self._begun:
            return RecordsDiffer(self._other)
        if fail.code == FailCode.HUNG_UP:
            return self._broken("the other side hung up")
        return self._broken(f"the other side gave up: {visible(fail.say)}")

    def _fail(self, error: RemoteProtocolError) -> None:
        """Tell the other side what it did wrong, as far as it can be told, and end."""
        self._link.farewell(error)
        if error.code == FailCode.DISAGREEMENT:
            raise LineOver(RecordsDiffer(self._other))
        raise LineOver(self._broken(f"the other side broke the protocol: {visible(str(error))}"))

    # -- what comes from the sender -----------------------------------------

    def _take_control(self) -> None:
        octets = self._control.recv(zmq.NOBLOCK)
        if octets == HANG_UP:
            self._leave()
        elif octets == STALE:
            if not self._leaving:
                raise self._dropped()
        elif octets == PARTING:
            self._redial.lower(Stake.BYE)
            if isinstance(self._end, Listen) and self._link.state is LinkState.START:
                self._deadline = self._redial.patience
        elif self._link.state not in (LinkState.START, LinkState.CLOSED) and not self._leaving:
            self._forward(octets)

    def _forward(self, octets: bytes) -> None:
        kind = octets[0]
        if kind == Kind.ASK:
            self._link.send(cast("Ask", decode(octets)))
            return
        self._link.forward(octets)
        if kind == Kind.END:
            self._end_said = True
            self._deadline = Deadline(FAREWELL_S)
            self._part()
        elif kind == Kind.ACK:
            ack = decode(octets)
            assert isinstance(ack, Ack)
            self._known.inbound.acknowledged(ack)
            self._sign = octets
        elif kind == Kind.ACCEPT:
            self._opened()

    def _part(self) -> None:
        """Leave when both have finished: nobody needs this link any more, or another."""
        if self._end_said and self._end_heard:
            self._leave()

    def _leave(self) -> None:
        """End the line once everything is on the wire, or after a while."""
        self._leaving = True
        self._deadline = Deadline(GOODBYE_MS / 1000)
        self._flush()

    def _flush(self) -> None:
        self._link.flush()
        if self._leaving and not self._link.stuck:
            raise LineOver(None)

    # -- what the monitor says ----------------------------------------------

    def _take_monitor(self) -> None:
        for happening in self._link.happenings():
            match happening:
                case Happening.CONNECTED:
                    self._connected()
                case Happening.REFUSED:
                    raise LinkLost(
                        Refused(
                            f"{self._other}'s program does not let this device in; try again later"
                        )
                    )
                case Happening.LOST:
                    self._lost()
                case Happening.UNREACHABLE:
                    raise LinkLost(self._unreachable())

    def _connected(self) -> None:
        if self._link.state is not LinkState.OPEN:
            self._beat = Deadline(_BEAT_S)
        if isinstance(self._end, Dial):
            if not self._begun:
                self._notices.put(Connected(self._link.here, self._link.there))
            parties, resume = self._known.parties, self._known.inbound.heard + 1
            self._link.send(self._end.hello(parties, resume, self._window))
            self._deadline = Deadline(self._redial.patience.remaining(REDIAL_DIAL_S))
            return
        # The hello of this very connection may have been read before.
        again, self._shaken = self._shaken, True
        if self._link.state is LinkState.START:
            if not again:
                self._deadline = Deadline(self._redial.patience.remaining(self._end.hello_s))
        elif again and self._link.state is LinkState.OPEN:
            # Only the one who is here is let in, and knocks again: this link is dead.
            self._lost()

    def _lost(self) -> None:
        while self._link.socket.poll(0):
            self._take_wire()
        raise self._dropped()

    def _dropped(self) -> LinkLost:
        """Let this link go, and return why there has to be another."""
        self._link.socket.linger = 0
        if self._begun:
            return LinkLost(ConnectionLost("the connection was lost"))
        return LinkLost(_CutOff(f"the call with {self._whom} ended: the connection was lost"))

    # -- why it ends ---------------------------------------------------------

    def _too_late(self) -> None:
        if self._leaving or self._end_said:
            raise LineOver(None)
        if self._begun:
            raise LinkLost(ConnectionLost("the connection was lost and did not come back"))
        if self._link.state is LinkState.GREETING and not self._redial.patience.expired:
            # Who has taken it in has said so at once: the hello, or the welcome, is lost.
            raise self._dropped()
        if self._link.state is not LinkState.RINGING:
            raise LineOver(self._unreachable())
        if isinstance(self._end, Listen):
            self._link.send(Decline(FailCode.NO_ANSWER, ""))
            raise LineOver(NoAnswer(f"you did not answer the call of {visible(self._other)}"))
        self._link.send(Fail(FailCode.NO_ANSWER, ""))
        raise LineOver(NoAnswer(f"{self._other} does not answer; try again later"))

    def _unreachable(self) -> LandlineError:
        if isinstance(self._end, Listen):
            return Offline("a caller connected and said nothing")
        return Offline(
            f"{self._other} cannot be reached at {self._redial.address.text}; try again,"
            " or ask them to check their firewall"
        )

    def _broken(self, say: str) -> LandlineError:
        if self._begun:
            return ConversationBroken(say)
        return Offline(f"the call with {self._whom} ended: {say}")

    @property
    def _known(self) -> Guest:
        assert self._guest is not None
        return self._guest

    @property
    def _whom(self) -> str:
        return visible(self._other) or "a caller"

    @property
    def _other(self) -> str:
        return "" if self._guest is None else self._guest.parties.other
