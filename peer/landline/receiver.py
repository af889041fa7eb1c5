"""The receiver thread: it owns the PAIR socket of one link.

Its poller watches the wire, the sender's inproc pair and the socket's
monitor. Frames that come are checked, handed to the application at once and
to the sender for the journal; frames that the sender wants sent are sent.
It numbers nothing, stores nothing and acknowledges nothing.
"""

import os
import socket
import threading
from collections import deque
from dataclasses import dataclass

import zmq
from zmq.utils.monitor import parse_monitor_message

from landline.deadline import Deadline
from landline.errors import (
    ConnectionLost,
    ConversationBroken,
    Declined,
    HomeUnusable,
    LandlineError,
    NoAnswer,
    Offline,
    Refused,
)
from landline.events import Connected, Message, SaidBye
from landline.home import DeviceKey
from landline.line import (
    HANG_UP,
    Acked,
    BatchRead,
    Bound,
    Heard,
    Knocked,
    LinkGone,
    Mailbox,
    Notices,
    Opened,
    Rang,
)
from landline.visible import visible
from landline_protocol import VERSION
from landline_protocol.conversation import Inbound
from landline_protocol.errors import FailCode, RemoteProtocolError
from landline_protocol.frames import (
    Accept,
    Ack,
    Batch,
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
from landline_protocol.invite import bracketed
from landline_protocol.limits import (
    HEARTBEAT_INTERVAL_MS,
    HEARTBEAT_TIMEOUT_MS,
    HELLO_DEADLINE_S,
    LINK_FRAME_MAX,
    RING_S,
    WINDOW,
)
from landline_protocol.link import Link, LinkState, Role, choose_version

ZAP_DOMAIN = b"landline-peer"
DIAL_S = 10.0
"""How long a caller waits for the welcome, from the first packet."""
GOODBYE_MS = 2_000
"""How long a closed link may take to get its last frames out."""

# Other work gets its turn even when a peer floods this one with frames.
_FRAMES_A_TURN = 256
_WATCHED = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_CONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CLOSED
)


@dataclass(frozen=True)
class Dial:
    """How a caller reaches a callee, and what it says first."""

    host: str
    port: int
    key: bytes
    hello: Hello


@dataclass(frozen=True)
class Listen:
    """Where a callee waits: ``port`` 0 means any that is free."""

    name: str
    port: int


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
        self._link = Link(Role.CALLER if isinstance(end, Dial) else Role.CALLEE)
        self._deadline = Deadline(DIAL_S if isinstance(end, Dial) else None)
        self._inbound: Inbound | None = None
        self._other = end.hello.callee if isinstance(end, Dial) else ""
        self._hello = end.hello if isinstance(end, Dial) else None
        self._window = 0
        self._unsent: deque[bytes] = deque()
        self._leaving = False
        self._greeted = False
        self.ready = threading.Event()
        self._knocker = ""
        self._connection: int | None = None
        self._here = self._there = "?"

    def run(self) -> None:
        """Serve the link until it is over, then close every socket of it."""
        error: LandlineError | None = ConversationBroken("the program is ending")
        try:
            self._open()
            try:
                self._serve()
            finally:
                self._close()
        except LinkOver as over:
            error = over.error
        except LandlineError as failed:
            error = failed
        except zmq.ContextTerminated:
            pass
        finally:
            self._mailbox.put(LinkGone(error))
            self.ready.set()

    def _open(self) -> None:
        self._pair = pair = self._context.socket(zmq.PAIR)
        self._control = self._context.socket(zmq.PAIR)
        pair.linger = GOODBYE_MS
        pair.ipv6 = True
        pair.immediate = True
        pair.reconnect_ivl = -1
        pair.maxmsgsize = LINK_FRAME_MAX
        pair.heartbeat_ivl = HEARTBEAT_INTERVAL_MS
        pair.heartbeat_timeout = HEARTBEAT_TIMEOUT_MS
        pair.curve_secretkey = self._key.secret
        self._monitor = pair.get_monitor_socket(_WATCHED)
        self._control.rcvhwm = 0
        self._control.connect(self._control_address)
        self.ready.set()

    def _close(self) -> None:
        self._pair.disable_monitor()
        for each in (self._pair, self._monitor, self._control):
            each.close()

    def _serve(self) -> None:
        self._start()
        poller = zmq.Poller()
        for each in (self._pair, self._control, self._monitor):
            poller.register(each, zmq.POLLIN)
        stuck = False
        while True:
            if stuck != bool(self._unsent):
                stuck = not stuck
                poller.modify(self._pair, zmq.POLLIN | (zmq.POLLOUT if stuck else 0))
            ready = dict(poller.poll(self._deadline.remaining_ms()))
            if not ready and self._deadline.expired:
                self._too_late()
            # The wire before the monitor: what came before a disconnection counts.
            if ready.get(self._pair, 0) & zmq.POLLIN:
                self._take_wire()
            if self._control in ready:
                self._take_control()
            if self._unsent:
                self._flush()
            if self._monitor in ready:
                self._take_monitor()

    def _start(self) -> None:
        if isinstance(self._end, Dial):
            self._pair.curve_serverkey = self._end.key
            self._pair.curve_publickey = self._key.public
            try:
                self._pair.connect(f"tcp://{bracketed(self._end.host)}:{self._end.port}")
            except zmq.ContextTerminated:
                raise
            except zmq.ZMQError:
                raise LinkOver(self._unreachable()) from None
        else:
            self._pair.curve_server = True
            self._pair.zap_domain = ZAP_DOMAIN
            self._notices.put(Bound(self._bind(self._end.port)))

    def _bind(self, port: int) -> int:
        try:
            self._pair.bind(f"tcp://*:{port or '*'}")
        except zmq.ContextTerminated:
            raise
        except zmq.ZMQError as error:
            if port == 0:
                raise HomeUnusable(f"cannot listen for calls: {error}") from error
            return self._bind(0)
        return int(self._pair.getsockopt_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1])

    # -- what comes from the wire -------------------------------------------

    def _take_wire(self) -> None:
        for _ in range(_FRAMES_A_TURN):
            try:
                part = self._pair.recv(zmq.NOBLOCK, copy=self._greeted)
            except zmq.Again:
                return
            try:
                if self._pair.rcvmore:
                    raise RemoteProtocolError(FailCode.MALFORMED, "a frame has one part")
                if isinstance(part, zmq.Frame):
                    self._note_knocker(part)
                    part = part.bytes
                self._take_frame(self._link.receive(part))
            except RemoteProtocolError as error:
                self._fail(error)

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
                self._mailbox.put(Acked(frame))
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
        upto, octets = self._inbound.heard, self._inbound.octets - before
        # The journal's copy first: the sender works while the application reads.
        self._mailbox.put(Heard(items, upto, octets, self._inbound.digest))
        notices, other = self._notices, self._other
        for number, item in enumerate(items, upto - len(items) + 1):
            if type(item) is Text:
                notices.put(Message(other, item.text, number, item.at))
            else:
                notices.put(SaidBye(other, item.at))
        notices.put(BatchRead(octets))

    def _greet(self, hello: Hello) -> None:
        assert isinstance(self._end, Listen)
        refusal = _refusal(hello, self._knocker, self._end.name)
        if refusal is not None:
            self._send(refusal)
            raise LinkOver(self._broken(refusal.say))
        self._hello, self._other = hello, hello.caller
        self._send(Welcome(VERSION, hello.conversation, 1, WINDOW))
        self._deadline = Deadline(RING_S)
        self._notices.put(Knocked(hello))

    def _welcomed(self, welcome: Welcome) -> None:
        assert self._hello is not None
        fits = (VERSION, self._hello.conversation, 1)
        if (welcome.version, welcome.conversation, welcome.resume) != fits:
            raise RemoteProtocolError(FailCode.UNEXPECTED, "the welcome does not fit the hello")
        self._window = welcome.window
        # The callee says when it has rung long enough; this is for one that does not.
        self._deadline = Deadline(RING_S + HELLO_DEADLINE_S)
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
        while not self._leaving:
            try:
                octets = self._control.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            if octets == HANG_UP:
                self._leave()
            elif self._link.state is not LinkState.CLOSED:
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
                self._pair.send(self._unsent[0], zmq.NOBLOCK)
                self._unsent.popleft()
        except zmq.Again:
            return
        if self._leaving:
            raise LinkOver(None)

    # -- what the monitor says ----------------------------------------------

    def _take_monitor(self) -> None:
        while self._monitor.poll(0):
            event = parse_monitor_message(self._monitor.recv_multipart())
            if isinstance(self._end, Dial):
                self._take_caller_event(event["event"], event["value"], self._end)
            else:
                self._take_callee_event(event["event"], event["value"])

    def _take_caller_event(self, event: int, value: int, dial: Dial) -> None:
        if event == zmq.EVENT_CONNECTED:
            self._here, self._there = _addresses(value)
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
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED and self._link.state is LinkState.START:
            self._deadline = Deadline(HELLO_DEADLINE_S)
        # Strangers come and go on the same port; only the caller's connection counts.
        elif event == zmq.EVENT_DISCONNECTED and value == self._connection:
            self._lost()

    def _lost(self) -> None:
        while self._pair.poll(0):
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
        raise LinkOver(NoAnswer(f"{self._other} does not answer; try again later"))

    def _unreachable(self) -> LandlineError:
        if isinstance(self._end, Listen):
            return Offline("a caller connected and said nothing")
        address = f"{bracketed(self._end.host)}:{self._end.port}"
        return Offline(
            f"{self._other} cannot be reached at {address}; try again, or ask them to check"
            " their firewall"
        )

    def _broken(self, say: str) -> LandlineError:
        if self._inbound is not None:
            return ConversationBroken(say)
        return Offline(f"the call with {visible(self._other) or 'a caller'} ended: {say}")


def _refusal(hello: Hello, knocker: str, name: str) -> Refuse | None:
    """Say why a hello cannot be welcomed, if so."""
    try:
        choose_version(hello)
    except RemoteProtocolError as error:
        return Refuse(error.code, str(error))
    if (hello.caller, hello.callee) != (knocker, name):
        return Refuse(FailCode.WRONG_NAME, "the names are not those that the broker knows")
    if hello.resume != 1:
        return Refuse(FailCode.UNKNOWN_CONVERSATION, "this conversation is not known here")
    return None


def _addresses(connection: int) -> tuple[str, str]:
    """Return both ends of a connection that libzmq has just made, by its descriptor."""
    try:
        with socket.socket(fileno=os.dup(connection)) as twin:
            return _address(twin.getsockname()), _address(twin.getpeername())
    except OSError:
        # It has gone already; the monitor says so next.
        return "?", "?"


def _address(name: tuple[str, int]) -> str:
    host = name[0].removeprefix("::ffff:")
    return f"{bracketed(host)}:{name[1]}"
