"""The receiver thread: it owns the PAIR socket of one link.

Its poller watches the wire, the sender's inproc pair and the socket's
monitor. Frames that come are checked, handed to the application at once and
to the sender for the journal; frames that the sender wants sent are sent.
It numbers nothing, stores nothing and acknowledges nothing.
"""

import threading
from collections import deque
from contextlib import ExitStack

import zmq

from landline.deadline import Deadline
from landline.ends import Dial, Listen
from landline.errors import (
    ConnectionLost,
    ConversationBroken,
    Declined,
    JournalUnusable,
    LandlineError,
    NoAnswer,
    Offline,
    Refused,
)
from landline.events import Connected, Event, Message, SaidBye
from landline.home import DeviceKey
from landline.line import (
    HANG_UP,
    Acked,
    Arrived,
    Bound,
    Heard,
    Knocked,
    LinkGone,
    Mailbox,
    Notices,
    Opened,
    Rang,
)
from landline.pair import GOODBYE_MS, Pair, addresses
from landline.visible import visible
from landline_protocol import VERSION
from landline_protocol.conversation import Inbound
from landline_protocol.errors import FailCode, RemoteProtocolError
from landline_protocol.frames import (
    Accept,
    Ack,
    Batch,
    Bye,
    ControlFrame,
    Decline,
    Fail,
    Frame,
    Hello,
    Kind,
    Refuse,
    Text,
    Welcome,
    decode,
)
from landline_protocol.limits import WINDOW
from landline_protocol.link import Link, LinkState, Role

HOLD_S = 0.02
"""How long what was heard may wait to be stored and acknowledged."""

# Other work gets its turn even when a peer floods this one with frames.
_FRAMES_A_TURN = 256


class LinkOver(Exception):
    """The link has ended; ``error`` says why, or is ``None`` after both byes."""

    def __init__(self, error: LandlineError | None) -> None:
        super().__init__()
        self.error = error


class Receiver(threading.Thread):
    """One link, from the first packet to the last."""

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        key: DeviceKey,
        end: Dial | Listen,
        control: str,
        mailbox: Mailbox,
        notices: Notices,
    ) -> None:
        super().__init__(name="landline-receiver")
        self._context = context
        self._key = key
        self._end = end
        self._control_address = control
        self._mailbox = mailbox
        self._notices = notices
        self._link = Link(end.role)
        self._deadline = Deadline(end.dial_s if isinstance(end, Dial) else None)
        self._inbound: Inbound | None = None
        self._other = end.hello.callee if isinstance(end, Dial) else ""
        self._hello = end.hello if isinstance(end, Dial) else None
        self._window = 0
        self._unsent: deque[bytes] = deque()
        self._ack: Ack | None = None
        self._held: list[Heard] = []
        self._held_octets = 0
        self._held_until = Deadline(None)
        self._leaving = False
        self._greeted = False
        self._knocker = ""
        self._connections: set[int] = set()
        self._connection: int | None = None
        self._here = self._there = "?"
        self.ready = threading.Event()

    def run(self) -> None:
        """Serve the link until it is over, then close every socket of it."""
        error: LandlineError | None = ConversationBroken("the program is ending")
        try:
            with ExitStack() as sockets:
                self._open(sockets)
                self._start()
                self._serve()
        except LinkOver as over:
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
            self._mailbox.put(LinkGone(error))
            self.ready.set()

    def _open(self, sockets: ExitStack) -> None:
        self._pair = Pair(self._context, self._key, sockets)
        self._socket = self._pair.socket
        self._control = sockets.enter_context(self._context.socket(zmq.PAIR))
        self._control.rcvhwm = 0
        self._control.connect(self._control_address)
        self.ready.set()

    def _start(self) -> None:
        if isinstance(self._end, Listen):
            self._notices.put(Bound(self._pair.bind(self._end.port)))
        elif not self._pair.connect(self._end):
            raise LinkOver(self._unreachable())

    def _serve(self) -> None:
        poller = zmq.Poller()
        for each in (self._socket, self._control, self._pair.monitor):
            poller.register(each, zmq.POLLIN)
        stuck = False
        while True:
            if stuck != bool(self._unsent):
                stuck = not stuck
                poller.modify(self._socket, zmq.POLLIN | (zmq.POLLOUT if stuck else 0))
            ready = dict(poller.poll(self._patience_ms()))
            if self._held and self._held_until.expired:
                self._tell_sender()
            # The wire before the monitor: what came before a disconnection counts.
            if self._socket in ready:
                self._take_wire()
            if self._control in ready:
                self._take_control()
            if self._unsent:
                self._flush()
            if self._pair.monitor in ready:
                self._take_monitor()
            # After what has come, and however much of it comes.
            if self._deadline.expired:
                self._too_late()

    def _patience_ms(self) -> int | None:
        return (self._held_until if self._held else self._deadline).remaining_ms()

    # -- what comes from the wire -------------------------------------------

    def _take_wire(self) -> None:
        try:
            self._take_frames()
        finally:
            if self._ack is not None:
                self._mailbox.put(Acked(self._ack))
                self._ack = None

    def _take_frames(self) -> None:
        """Take what has come, up to the first frame that is not an ack.

        To look whether another is there costs more than the next turn.
        """
        for _ in range(_FRAMES_A_TURN):
            try:
                part = self._socket.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            try:
                self._take_part(part)
            except RemoteProtocolError as error:
                self._fail(error)
            if self._ack is None:
                return

    def _take_part(self, part: zmq.Frame) -> None:
        if part.more:
            raise RemoteProtocolError(FailCode.MALFORMED, "a frame has one part")
        if not self._greeted:
            self._note_knocker(part)
        self._take_frame(self._link.receive(part.bytes))

    def _note_ack(self, ack: Ack) -> None:
        """Keep the one ack of this turn that says most: a flood of them is one letter."""
        if self._ack is None or (self._ack.upto, self._ack.window) < (ack.upto, ack.window):
            self._ack = ack

    def _note_knocker(self, first: zmq.Frame) -> None:
        """Keep who sent the first frame, by the gate's word, and on which connection."""
        self._greeted = True
        if self._link.role is Role.CALLEE:
            self._knocker = str(first.get("User-Id"))
            self._connection = int(first.get(zmq.SRCFD))

    def _take_frame(self, frame: Frame) -> None:
        match frame:
            case Batch():
                self._hear(frame)
            case Ack():
                self._note_ack(frame)
            case Hello():
                self._greet(frame)
            case Welcome():
                self._welcomed(frame)
            case Accept():
                self._opened()
            case Decline():
                raise LinkOver(self._declined(frame))
            case Refuse():
                raise LinkOver(Refused(f"{self._other}'s program refuses: {visible(frame.say)}"))
            case Fail():
                raise LinkOver(self._broken(f"the other side gave up: {visible(frame.say)}"))

    def _hear(self, batch: Batch) -> None:
        assert self._inbound is not None
        before = self._inbound.octets
        items = self._inbound.hear(batch)
        if not items:
            return  # heard before; it costs nobody any memory
        upto, octets = self._inbound.heard, self._inbound.octets - before
        other = self._other
        events: list[Event] = [
            Message(other, item.text, number, item.at)
            if type(item) is Text
            else SaidBye(other, item.at)
            for number, item in enumerate(items, upto - len(items) + 1)
        ]
        self._notices.put(Arrived(events, octets))
        self._hold(Heard(items, upto, octets, self._inbound.digest))

    def _hold(self, heard: Heard) -> None:
        """Keep what was heard for a moment: the sender stores several at once.

        The reply, if the application has one, goes out before that.
        """
        if not self._held:
            self._held_until = Deadline(HOLD_S)
        self._held.append(heard)
        self._held_octets += heard.octets
        if self._held_octets >= WINDOW // 8 or Bye in map(type, heard.items):
            self._tell_sender()

    def _tell_sender(self) -> None:
        for letter in self._held:
            self._mailbox.put(letter)
        self._held.clear()
        self._held_octets = 0

    def _greet(self, hello: Hello) -> None:
        assert isinstance(self._end, Listen)
        try:
            refusal = self._end.refusal(hello, self._knocker)
        except JournalUnusable:
            self._send(Refuse(FailCode.STORAGE, "the other side cannot store messages"))
            raise
        if refusal is not None:
            self._send(refusal)
            raise LinkOver(self._broken(refusal.say))
        self._hello, self._other = hello, hello.caller
        self._send(Welcome(VERSION, hello.conversation, 1, WINDOW))
        self._deadline = Deadline(self._end.ring_s)
        self._notices.put(Knocked(hello))

    def _welcomed(self, welcome: Welcome) -> None:
        assert isinstance(self._end, Dial) and self._hello is not None
        fits = (VERSION, self._hello.conversation, 1)
        if (welcome.version, welcome.conversation, welcome.resume) != fits:
            raise RemoteProtocolError(FailCode.UNEXPECTED, "the welcome does not fit the hello")
        self._window = welcome.window
        # The callee says when it has rung long enough; this is for one that does not.
        self._deadline = Deadline(self._end.ring_s + self._end.grace_s)
        self._notices.put(Rang())

    def _opened(self) -> None:
        assert self._hello is not None
        role = self._link.role
        window = self._window if role is Role.CALLER else self._hello.window
        self._inbound = Inbound(self._hello.conversation, role.other, WINDOW)
        self._deadline = Deadline(None)
        opened = Opened(self._hello.conversation, self._other, role, window)
        # The sender first: what the application says comes after it in the mailbox.
        self._mailbox.put(opened)
        self._notices.put(opened)

    def _declined(self, decline: Decline) -> LandlineError:
        if decline.code == FailCode.NO_ANSWER:
            return NoAnswer(f"{self._other} does not answer; try again later")
        say = f": {visible(decline.say)}" if decline.say else ""
        return Declined(f"{self._other} declined the call{say}")

    def _fail(self, error: RemoteProtocolError) -> None:
        """Tell the other side what it did wrong, as far as it can be told, and end."""
        farewell = self._link.farewell(error.code, str(error))
        if farewell is not None:
            self._put_on_wire(farewell)
        raise LinkOver(self._broken(f"the other side broke the protocol: {visible(str(error))}"))

    # -- what comes from the sender -----------------------------------------

    def _take_control(self) -> None:
        octets = self._control.recv(zmq.NOBLOCK)
        if octets == HANG_UP:
            self._leave()
        elif self._link.state is not LinkState.CLOSED and not self._leaving:
            self._forward(octets)

    def _forward(self, octets: bytes) -> None:
        self._put_on_wire(self._link.forward(octets))
        kind = octets[0]
        if kind == Kind.ACK:
            ack = decode(octets)
            assert isinstance(ack, Ack)
            assert self._inbound is not None
            self._inbound.acknowledged(ack)
        elif kind == Kind.ACCEPT:
            self._opened()

    def _leave(self) -> None:
        """End the link once everything is on the wire, or after a while."""
        self._leaving = True
        self._deadline = Deadline(GOODBYE_MS / 1000)
        self._flush()

    def _send(self, frame: ControlFrame) -> None:
        self._put_on_wire(self._link.send(frame))

    def _put_on_wire(self, octets: bytes) -> None:
        self._unsent.append(octets)
        self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                self._socket.send(self._unsent[0], zmq.NOBLOCK)
                self._unsent.popleft()
        except zmq.Again:
            return
        if self._leaving:
            raise LinkOver(None)

    # -- what the monitor says ----------------------------------------------

    def _take_monitor(self) -> None:
        for event in self._pair.events():
            if isinstance(self._end, Dial):
                self._take_caller_event(event.event, event.value, self._end)
            else:
                self._take_callee_event(event.event, event.value)
        # Strangers come and go on the same port, and a descriptor is used again:
        # only that the caller's is open now tells.
        if self._connection is not None and self._connection not in self._connections:
            self._lost()

    def _take_caller_event(self, event: int, value: int, dial: Dial) -> None:
        if event == zmq.EVENT_CONNECTED:
            self._here, self._there = addresses(value)
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._notices.put(Connected(self._here, self._there))
            self._send(dial.hello)
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            raise LinkOver(
                Refused(f"{self._other}'s program does not let this device in; call again")
            )
        elif event == zmq.EVENT_DISCONNECTED and self._link.state is not LinkState.START:
            self._lost()
        else:
            raise LinkOver(self._unreachable())

    def _take_callee_event(self, event: int, value: int) -> None:
        assert isinstance(self._end, Listen)
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED and self._link.state is LinkState.START:
            self._deadline = Deadline(self._end.hello_s)
        elif event == zmq.EVENT_ACCEPTED:
            self._connections.add(value)
        elif event == zmq.EVENT_DISCONNECTED:
            self._connections.discard(value)

    def _lost(self) -> None:
        self._socket.linger = 0
        while self._socket.poll(0):
            self._take_wire()
        lost = ConnectionLost("the connection was lost")
        raise LinkOver(self._broken(str(lost)) if self._inbound is None else lost)

    # -- why it ends ---------------------------------------------------------

    def _too_late(self) -> None:
        if self._leaving:
            raise LinkOver(None)
        if self._link.state is not LinkState.RINGING:
            raise LinkOver(self._unreachable())
        if self._link.role is Role.CALLEE:
            self._send(Decline(FailCode.NO_ANSWER, ""))
            raise LinkOver(NoAnswer(f"you did not answer the call of {visible(self._other)}"))
        self._send(Fail(FailCode.NO_ANSWER, ""))
        raise LinkOver(NoAnswer(f"{self._other} does not answer; try again later"))

    def _unreachable(self) -> LandlineError:
        if isinstance(self._end, Listen):
            return Offline("a caller connected and said nothing")
        return Offline(
            f"{self._other} cannot be reached at {self._end.address}; try again, or ask them to check"
            " their firewall"
        )

    def _broken(self, say: str) -> LandlineError:
        if self._inbound is not None:
            return ConversationBroken(say)
        return Offline(f"the call with {visible(self._other) or 'a caller'} ended: {say}")
