"""A second client of Landline, made from protocol/SPEC.md alone.

pyzmq, a MessagePack library and nothing of Landline: what it takes to register, log
in, call, wait and chat is what the text says. It is small, not convenient: one thread,
texts one to a batch, no resumption. The numbers in brackets are sections of the text.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import re
import time
from collections import deque
from contextlib import ExitStack, suppress
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final, Self

import msgpack  # type: ignore[import-untyped]  # it has no types
import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

# Section 7 of the text.
REPLY_MAX: Final = 262_144
TEXT_MAX: Final = 65_536
BATCH_ITEMS_MAX: Final = 4_096
BATCH_MAX: Final = 131_072
LINK_FRAME_MAX: Final = 135_168
WINDOW: Final = 1_048_576
WINDOW_MIN: Final = 131_072
WINDOW_MAX: Final = 67_108_864
NUMBER_MAX: Final = 2**63 - 1
AT_MAX_MS: Final = 253_402_300_799_999
HELLO_DEADLINE_S: Final = 5.0
DIAL_S: Final = 10.0
HEARTBEAT_INTERVAL_S: Final = 1.0
HEARTBEAT_TIMEOUT_S: Final = 5.0

# Section 6.1.
HELLO, WELCOME, REFUSE, ACCEPT, DECLINE, BATCH, ACK, FAIL, ASK, STORED, END = range(1, 12)
TEXT, BYE = 1, 2
CALLER, CALLEE = b"\0", b"\1"

HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,255}|[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._~-]+)?")
CURVE_OCTETS: Final = 33
ZAP_DOMAIN: Final = b"second"
TRY_MS: Final = 4_000
TRIES: Final = 3
SECRET: Final = "second.key"


class Said(Exception):
    """The other end, broker or peer, said no: its code, and its line for the user."""

    def __init__(self, code: str, say: str = "") -> None:
        super().__init__(code, say)
        self.code = code


class Breach(Exception):
    """The other peer broke a rule; the code is what it is told [6.3]."""


class Gone(Exception):
    """The connection went away, or nothing came in time."""


class Silence(Gone):
    """Nothing has come in time."""


def need(holds: object, code: str = "malformed") -> None:
    if not holds:
        raise Breach(code)


def packed(body: Any) -> bytes:
    octets: bytes = msgpack.packb(body)
    return octets


def unpacked(octets: bytes) -> Any:
    try:
        return msgpack.unpackb(octets)
    except (ValueError, msgpack.UnpackException):
        raise Breach("malformed") from None


def fields(octets: bytes, *names: str) -> list[Any]:
    """Return these fields of a map."""
    body = unpacked(octets)
    need(type(body) is dict and all(name in body for name in names))
    return [body[name] for name in names]


def number(value: Any, low: int, high: int) -> int:
    need(type(value) is int and low <= value <= high)
    return int(value)


def string(octets: Any, length: int) -> bytes:
    need(type(octets) is bytes and len(octets) == length)
    return bytes(octets)


def within(seconds: float) -> float:
    return time.monotonic() + seconds


def left_ms(until: float) -> int:
    return max(0, int((until - time.monotonic()) * 1000))


class Broker:
    """Requests and replies [5]."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], invite: str, secret: bytes) -> None:
        match = re.fullmatch(r"landline://(.+):(\d{1,5})/\?key=([\w-]{43})", invite)
        assert match
        self.host = match[1].strip("[]")
        self._address = f"tcp://{match[1]}:{match[2]}"
        self._server_key = base64.urlsafe_b64decode(match[3] + "=")
        self._context, self._secret = context, secret
        self._socket: zmq.Socket[bytes] | None = None

    def ask(self, operation: str, **asked: Any) -> Any:
        """Return the body of the reply; ask again as [5.2] says."""
        request = [b"landline/1", operation.encode(), os.urandom(16), packed(asked)]
        for tries_left in reversed(range(TRIES)):
            socket = self._socket = self._socket or self._fresh()
            reply = None
            if socket.poll(TRY_MS, zmq.POLLOUT):
                socket.send_multipart(request)
                reply = socket.recv_multipart() if socket.poll(TRY_MS) else None
            if reply is None:
                self.close()
                continue
            signature, request_id, status, body = reply
            need(signature.startswith(b"landline/") and request_id == request[2])
            if status == b"ok":
                need(signature == b"landline/1")
                return unpacked(body)
            code, say = fields(body, "code", "say")
            need(code.encode() == status)
            if status not in {b"busy", b"unavailable"} or not tries_left:
                raise Said(code, say)
            socket.poll(int(fields(body, "retry_after")[0] * random.uniform(1_000, 1_500)))
        raise Gone

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _fresh(self) -> zmq.Socket[bytes]:
        socket = curved(self._context.socket(zmq.REQ), self._secret, REPLY_MAX)
        socket.immediate = True
        return connected(socket, self._secret, self._server_key, self._address)


def curved(socket: zmq.Socket[bytes], secret: bytes, longest: int) -> zmq.Socket[bytes]:
    """Set what every socket needs [3.2]."""
    socket.curve_secretkey = secret
    socket.maxmsgsize = longest + CURVE_OCTETS
    socket.ipv6 = True
    socket.linger = 0
    return socket


def connected(
    socket: zmq.Socket[bytes], secret: bytes, server: bytes, address: str
) -> zmq.Socket[bytes]:
    socket.curve_publickey = zmq.curve_public(z85.encode(secret))
    socket.curve_serverkey = server
    socket.connect(address)
    return socket


class Door:
    """The ZAP handler of a callee (RFC 27): it lets one vetted caller in at a time."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], broker: Broker) -> None:
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind("inproc://zeromq.zap.01")
        self.caller = ""
        self._broker = broker

    def answer(self) -> None:
        """Answer those who knock: whose key is it, and did the broker send it?"""
        while self.socket.poll(0):
            asked = self.socket.recv_multipart()
            version, request_id, domain, _, _, mechanism, *credentials = asked
            status = [b"400", b"refused", b""]
            if (domain, mechanism) == (ZAP_DOMAIN, b"CURVE") and not self.caller:
                with suppress(Said, Gone):
                    self.caller = self._broker.ask("vet", key=credentials[0])["name"]
                    status = [b"200", b"", self.caller.encode()]
            self.socket.send_multipart([version, request_id, *status, b""])


class Wire:
    """One PAIR and its monitor: frames out, frames in, and whether it is still there."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], secret: bytes, door: Door | None = None
    ) -> None:
        self.pair = curved(context.socket(zmq.PAIR), secret, LINK_FRAME_MAX)
        self.pair.reconnect_ivl = 3_600_000  # one-shot
        self.shaken = False
        self._door = door
        self._open: set[int] = set()
        self._mine: int | None = None
        self._monitor = self.pair.get_monitor_socket()
        self._poller = zmq.Poller()
        for socket in (self.pair, self._monitor, *([door.socket] if door else [])):
            self._poller.register(socket, zmq.POLLIN)

    def receive(self, until: float | None, *, room: bool = False) -> tuple[int, bytes] | None:
        """Return the next frame's kind and rest; None if something else happened.

        ``room`` says that there is something to be sent, too. What came before a
        disconnection is read first.
        """
        self._poller.modify(self.pair, zmq.POLLIN | (zmq.POLLOUT if room else 0))
        ready = self._poller.poll(None if until is None else left_ms(until))
        if self.pair.poll(0):
            return self._frame()
        if not ready:
            raise Silence
        self._watch()
        if self._door is not None:
            self._door.answer()
        return None

    def expect(self, until: float) -> tuple[int, bytes]:
        """Return the next frame, which comes in time."""
        while (frame := self.receive(until)) is None:
            pass
        if frame[0] in {REFUSE, DECLINE, FAIL}:
            raise Said(*fields(frame[1], "code", "say"))
        return frame

    def send(self, kind: int, body: Any) -> None:
        """Send a small frame. There is room for it, or nobody any more: then ``Gone`` comes."""
        with suppress(zmq.Again):
            self.pair.send(bytes((kind,)) + packed(body), zmq.NOBLOCK)

    def part(self, kind: int, code: str) -> None:
        """Say why this end goes, and go."""
        self.send(kind, {"code": code, "say": ""})
        self.close()

    def close(self) -> None:
        """Close, after what was handed over has been sent."""
        if not self.pair.closed:
            self.pair.disable_monitor()
            self._monitor.close()
            self.pair.close(linger=2_000)

    def _frame(self) -> tuple[int, bytes]:
        part = self.pair.recv(copy=False)
        self._mine = self._mine or int(part.get(zmq.SRCFD))
        need(not part.more and part.bytes)
        need(len(part.bytes) <= LINK_FRAME_MAX, "too-large")
        return part.bytes[0], part.bytes[1:]

    def _watch(self) -> None:
        """Take what the monitor has to say.

        A callee hears of everybody who knocks: only its own caller's connection counts.
        """
        while self._monitor.poll(0):
            said = parse_monitor_message(self._monitor.recv_multipart())
            if said["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.shaken = True
            elif said["event"] in {zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED}:
                self._open.add(said["value"])
                if self._door is None:
                    self._mine = said["value"]
            elif said["event"] == zmq.EVENT_DISCONNECTED:
                self._open.discard(said["value"])
            elif said["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH and self._door is None:
                raise Said("refused")
        if self._mine is not None and self._mine not in self._open and not self.pair.poll(0):
            raise Gone


class Talk:
    """A conversation, from accept to both byes [6.4 to 6.6]."""

    def __init__(
        self, wire: Wire, role: bytes, conversation: bytes, window: int, journal: Path
    ) -> None:
        other = CALLEE if role == CALLER else CALLER
        self.said = hashlib.sha256(conversation + role)
        self.heard = hashlib.sha256(conversation + other)
        self.texts: list[str] = []
        self.unread: deque[str] = deque()
        self.agreed = False
        self.heard_bye = False
        self._wire, self._journal = wire, journal
        self._edge = window
        self._sent = self._confirmed = self._said_texts = 0
        self._sizes: deque[int] = deque()
        self._sent_octets = self._confirmed_octets = 0
        self._said_bye = self._heard_end = False
        self._items_heard = self._octets_heard = 0
        self._acked_octets = 0
        self._alive = within(HEARTBEAT_TIMEOUT_S)
        self._sign_due = within(HEARTBEAT_INTERVAL_S)
        keep(journal, conversation.hex())

    def say(self, text: str) -> None:
        """Send a text as soon as the window lets it go."""
        item = packed([TEXT, time.time_ns() // 1_000_000, text])
        self.said.update(item)
        self._said_texts += 1
        keep(self._journal, f"> {text!r}")
        self._send_item(item)

    def settle(self) -> None:
        """Return when everything that was said here is stored over there."""
        while self._confirmed < self._sent:
            self._turn()

    def bye(self) -> None:
        """End this direction."""
        self._said_bye = True
        heard = [self._items_heard, self.heard.digest()]
        self._send_item(packed([BYE, time.time_ns() // 1_000_000, self.said.digest(), *heard]))

    def next(self) -> str | None:
        """Return the next text that the other says; None after the bye."""
        while not self.unread and not self.heard_bye:
            self._turn()
        return self.unread.popleft() if self.unread else None

    def finish(self) -> None:
        """Hear the other out, and return when both byes are done."""
        while not self.heard_bye or self._confirmed < self._sent:
            try:
                self._turn()
            except Gone:
                if self.heard_bye and self._said_bye and self._confirmed >= self._said_texts:
                    break
                raise
        self._part()
        self._wire.close()

    def _part(self) -> None:
        """Tell the other that nothing is missing here, and hear the same [6.5]."""
        self._wire.send(END, {})
        with suppress(Gone):
            while not self._heard_end:
                self._turn()

    def _send_item(self, item: bytes) -> None:
        while self._sent_octets + len(item) > self._edge:
            self._turn()
        self._sent += 1
        self._sizes.append(len(item))
        self._sent_octets += len(item)
        frame = bytes((BATCH,)) + self._sent.to_bytes(8, "big") + b"\x91" + item
        while True:
            try:
                self._wire.pair.send(frame, zmq.NOBLOCK)
                return
            except zmq.Again:
                self._turn(room=True)

    def _turn(self, *, room: bool = False) -> None:
        """Take one frame, if one is there or comes."""
        frame = None
        try:
            with suppress(Silence):
                frame = self._wire.receive(self._sign_due, room=room)
            if frame is not None:
                self._alive = within(HEARTBEAT_TIMEOUT_S)
                self._take(*frame)
        except Breach as breach:
            self._wire.part(FAIL, str(breach))
            raise
        self._beat()

    def _beat(self) -> None:
        """Give a sign of life every second, and expect one [6.4]."""
        if not left_ms(self._alive):
            raise Gone
        if not left_ms(self._sign_due):
            self._wire.send(ACK, [self._items_heard, WINDOW])
            self._sign_due = within(HEARTBEAT_INTERVAL_S)

    def _take(self, kind: int, rest: bytes) -> None:
        if kind == BATCH:
            self._hear(rest)
        elif kind == ACK:
            self._confirm(rest)
        elif kind == ASK:
            self._answer(rest)
        elif kind == END:
            need(unpacked(rest) == {})
            self._heard_end = True
        else:
            need(kind == FAIL, "unexpected")
            self._wire.close()
            raise Said(*fields(rest, "code", "say"))

    def _answer(self, rest: bytes) -> None:
        """Say how much of an earlier conversation is stored here [6.7]."""
        asked = unpacked(rest)
        need(type(asked) is list and len(asked) == 1)
        string(asked[0], 16)
        _, _, after = self._journal.read_text().partition(f"{asked[0].hex()}\n")
        heard = takewhile(lambda line: line[:1] in "<>", after.splitlines())
        self._wire.send(STORED, [asked[0], sum(line.startswith("<") for line in heard)])

    def _confirm(self, rest: bytes) -> None:
        ack = unpacked(rest)
        need(type(ack) is list and len(ack) == 2)
        upto, window = number(ack[0], 0, NUMBER_MAX), number(ack[1], 0, WINDOW_MAX)
        need(upto <= self._sent, "out-of-order")
        if upto < self._confirmed:
            return
        while self._confirmed < upto:
            self._confirmed += 1
            self._confirmed_octets += self._sizes.popleft()
        self._edge = max(self._edge, self._confirmed_octets + window)

    def _hear(self, rest: bytes) -> None:
        first = int.from_bytes(rest[:8], "big")
        items = split(rest[8:])
        need(1 <= first <= NUMBER_MAX - len(items))
        need(first <= self._items_heard + 1, "out-of-order")
        for item, octets in items[self._items_heard + 1 - first :]:
            need(not self.heard_bye, "out-of-order")
            self._octets_heard += len(octets)
            need(self._octets_heard <= self._acked_octets + WINDOW, "overrun")
            if item[0] == BYE:
                self._hear_bye(*item[2:])
            else:
                self.heard.update(octets)
                self.texts.append(item[2])
                self.unread.append(item[2])
                keep(self._journal, f"< {item[2]!r}")
            self._items_heard += 1
        # Stored; and read, as far as the window goes.
        self._acked_octets = self._octets_heard
        self._wire.send(ACK, [self._items_heard, WINDOW])

    def _hear_bye(self, said: bytes, heard_number: int, heard: bytes) -> None:
        need(said == self.heard.digest() and heard_number <= self._sent, "disagreement")
        if heard_number >= self._said_texts:
            need(heard == self.said.digest(), "disagreement")
            self.agreed = True
        self.heard_bye = True


def split(body: bytes) -> list[tuple[list[Any], bytes]]:
    """Return each item of a batch, read and as it crossed the wire [6.1]."""
    need(body and (0x90 <= body[0] <= 0x9F or body[0] == 0xDC))
    unpacker = msgpack.Unpacker()
    unpacker.feed(body)
    items = []
    try:
        count = unpacker.read_array_header()
        start = head = unpacker.tell()
        need(count <= BATCH_ITEMS_MAX and len(body) - head <= BATCH_MAX, "too-large")
        for _ in range(count):
            item = checked(unpacker.unpack())
            items.append((item, body[start : unpacker.tell()]))
            start = unpacker.tell()
    except (ValueError, msgpack.UnpackException):
        raise Breach("malformed") from None
    need(items and start == len(body))
    return items


def checked(item: Any) -> list[Any]:
    need(type(item) is list and len(item) > 2 and type(item[0]) is int)
    number(item[1], 0, AT_MAX_MS)
    if item[0] == TEXT:
        need(len(item) == 3 and type(item[2]) is str)
        need(len(item[2].encode()) <= TEXT_MAX, "too-large")
    else:
        need(item[0] == BYE and len(item) == 5)
        string(item[2], 32)
        number(item[3], 0, NUMBER_MAX)
        string(item[4], 32)
    return list(item)


def keep(journal: Path, line: str) -> None:
    """Store a line so that it survives the end of the program."""
    with journal.open("a") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


class Client:
    """A device and its user: one key, one journal, one broker."""

    def __init__(self, folder: Path, invite: str) -> None:
        folder.mkdir(exist_ok=True)
        key = folder / SECRET
        if not key.exists():
            key.write_bytes(z85.decode(zmq.curve_keypair()[1]))
        self._secret = key.read_bytes()
        self.key = z85.decode(zmq.curve_public(z85.encode(self._secret)))
        self._journal = folder / "journal.txt"
        self._resources = ExitStack()
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context = self._resources.enter_context(context)
        self.broker = Broker(context, invite, self._secret)
        self._resources.callback(self.broker.close)
        self.policy = self.broker.ask("hello", software="second/1")["policy"]
        self.name = ""
        self.port = 0
        self._door: Door | None = None
        self._wire: Wire | None = None
        self._lease = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._wire is not None:
            self._wire.close()
        self._resources.close()

    def register(self, name: str, password: str) -> None:
        self.broker.ask("register", name=name, password=password)

    def login(self, name: str, password: str) -> None:
        account = self.broker.ask("login", name=name, password=password)["account"]
        self.name, self.port = account["name"], account["port"]

    def call(self, name: str) -> Talk:
        """Call a waiting user; return when the call is accepted."""
        claimed = self.broker.ask("call", name=name)
        host = claimed["host"] or self.broker.host
        need(HOST.fullmatch(host))
        host = f"[{host}]" if ":" in host else host
        self._wire = wire = Wire(self._context, self._secret)
        until = within(DIAL_S)
        connected(wire.pair, self._secret, claimed["key"], f"tcp://{host}:{claimed['port']}")
        while not wire.shaken:
            need(wire.receive(until) is None, "unexpected")
        conversation = os.urandom(16)
        hello = {"versions": [1, 1], "conversation": conversation, "caller": self.name}
        wire.send(HELLO, {**hello, "callee": claimed["name"], "resume": 1, "window": WINDOW})
        try:
            kind, rest = wire.expect(until)
            need(kind == WELCOME, "unexpected")
            *fits, window = fields(rest, "version", "conversation", "resume", "window")
            need(fits == [1, conversation, 1], "unexpected")
            number(window, WINDOW_MIN, WINDOW_MAX)
            kind, _ = wire.expect(within(self.policy["ring"] + HELLO_DEADLINE_S))
            need(kind == ACCEPT, "unexpected")
        except Breach as breach:
            wire.part(FAIL, str(breach))
            raise
        return Talk(wire, CALLER, conversation, window, self._journal)

    def publish(self) -> None:
        """Wait for callers: the handler first, then the port, then the broker."""
        if self._door is None:
            self._door = Door(self._context, self.broker)
            self._resources.enter_context(self._door.socket)
        self._door.caller = ""
        self._wire = wire = Wire(self._context, self._secret, self._door)
        wire.pair.curve_server = True
        wire.pair.zap_domain = ZAP_DOMAIN
        wire.pair.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        try:
            wire.pair.bind(f"tcp://*:{self.port or '*'}")
        except zmq.ZMQError:
            wire.pair.bind("tcp://*:*")
        self.port = int(wire.pair.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        self._lease = self.broker.ask("wait", port=self.port)["lease"]

    def answer(self, *, accept: bool = True) -> Talk | None:
        """Let the next caller in and take the call; None if it is declined."""
        wire, conversation, window = self._next_hello()
        self.broker.ask("renew", engaged=True)
        if not accept:
            wire.part(DECLINE, "declined")
            return None
        wire.send(ACCEPT, {})
        return Talk(wire, CALLEE, conversation, window, self._journal)

    def leave(self) -> None:
        """Wait for nobody any more."""
        self.broker.ask("leave")

    def _next_hello(self) -> tuple[Wire, bytes, int]:
        while True:
            assert self._wire is not None
            try:
                kind, rest = self._first_frame(self._wire)
                return self._wire, *self._greet(self._wire, kind, rest)
            except Gone:
                self._wire.close()
            except Breach as breach:
                self._wire.part(REFUSE, str(breach))
            self.publish()

    def _first_frame(self, wire: Wire) -> tuple[int, bytes]:
        """Return what a caller says first, and keep the lease until one is let in."""
        assert self._door is not None
        until = within(self._lease / 3)
        while not self._door.caller:
            try:
                wire.receive(until)
            except Gone:
                self.broker.ask("renew", engaged=False)
                until = within(self._lease / 3)
        # From the vet on the endpoint is engaged, be the handshake done or not.
        return wire.expect(within(HELLO_DEADLINE_S))

    def _greet(self, wire: Wire, kind: int, rest: bytes) -> tuple[bytes, int]:
        """Check a hello and welcome it."""
        assert self._door is not None
        need(kind == HELLO, "unexpected")
        versions, *names = fields(rest, "versions", "caller", "callee")
        conversation, resume, window = fields(rest, "conversation", "resume", "window")
        need(type(versions) is list and len(versions) == 2)
        lowest, highest = (number(version, 1, 65_535) for version in versions)
        string(conversation, 16)
        number(resume, 1, NUMBER_MAX)
        number(window, WINDOW_MIN, WINDOW_MAX)
        need(lowest <= 1 <= highest, "version")
        need(names == [self._door.caller, self.name], "wrong-name")
        known = self._journal.exists() and conversation.hex() in self._journal.read_text()
        need(resume == 1 and not known, "unknown-conversation")
        welcome = {"version": 1, "conversation": conversation, "resume": 1, "window": WINDOW}
        wire.send(WELCOME, welcome)
        return conversation, window
