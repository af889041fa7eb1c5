"""What the threads of one line say to each other.

The letters that go into the sender's mailbox, the notices that go to the
application's thread, and the room through which everything that is said
passes. It starts nothing and owns no socket.
"""

import struct
import threading
from collections.abc import Sequence
from enum import IntEnum
from queue import SimpleQueue

from msgspec import Struct

from landline.errors import ConversationBroken, LandlineError
from landline.events import Connected, Delivered, Ended, Event, Reconnected, Reconnecting
from landline_protocol.conversation import Outbound
from landline_protocol.frames import Accept, Ack, Bye, Chunk, Decline, Hello, Text
from landline_protocol.link import Role

TEXT_ROOM = 64
"""What a text takes besides its characters."""
HANG_UP = b""
"""What the sender tells the receiver when the line is to end."""
READY = struct.Struct(">xIBQQ")
"""What the sender answers to ``LinkDown`` when everything that was heard is stored
and another link may greet: the window, what is at ``Stake``, how many items
from here are confirmed, and how many any link may have carried. A frame never
begins with its first octet."""
STALE = b"\0\0"
"""What the sender tells the receiver when what was sent has not been acknowledged
for too long: the link is to be replaced."""
PARTING = b"\0"
"""What the sender tells the receiver when during an outage this side has said
its bye, too, and nothing else is at stake."""


class Stake(IntEnum):
    """What a side still needs a link for."""

    TEXTS = 0
    BYE = 1
    """Both have said bye, and only the other's ack for ours is missing."""
    NOTHING = 2
    """This side has finished; the other may need one."""


class Parties(Struct, frozen=True):
    """Who talks: a conversation, as both threads must know it.

    ``role`` is this side's; ``key`` is the other's device key. ``stored`` is
    the conversation's number in the journal, or ``None`` if it is new there.
    """

    conversation: bytes
    other: str
    key: bytes
    role: Role
    host: str
    port: int
    stored: int | None = None


class Said(Struct, frozen=True):
    """Application to sender: there is something in the room."""


class SayBye(Struct, frozen=True):
    """Application to sender: this side has said all."""

    at_ms: int


class Read(Struct, frozen=True):
    """Application to sender: so many octets of items have been read."""

    octets: int


class Answer(Struct, frozen=True):
    """Application to sender: answer the call with this frame."""

    frame: Accept | Decline


class HangUp(Struct, frozen=True):
    """Application to sender: end the line, whatever is still to be said."""


class Greeted(Struct, frozen=True):
    """Receiver to sender: these are to talk.

    So many items have been ``heard`` before, if the conversation goes on, the
    bye among them or not; ``digest`` is theirs. ``outbound`` is the sender's
    from now on. One that ``carries`` begins with what the outbox holds.
    """

    parties: Parties
    outbound: Outbound
    heard: int
    heard_bye: bool
    digest: bytes
    carries: bool


class LinkUp(Struct, frozen=True):
    """Receiver to sender: a link is open; the other expects item ``resume`` next."""

    resume: int
    window: int


class LinkDown(Struct, frozen=True):
    """Receiver to sender: the link is dead; answer ``READY`` when all is stored."""


class Heard(Struct, frozen=True):
    """Receiver to sender: these new items came.

    ``digest`` is that of all texts so far; ``bye`` is the last item, if it is one.
    """

    chunk: Chunk
    digest: bytes
    bye: Bye | None


class Store(Struct, frozen=True):
    """Receiver to sender: what was heard is to be stored and acknowledged now."""


class Synced(Struct, frozen=True):
    """Syncer to sender: what was stored up to this item survives a power cut, or cannot."""

    upto: int
    error: LandlineError | None


class Acked(Struct, frozen=True):
    """Receiver to sender: the other side acknowledges."""

    ack: Ack


class Asked(Struct, frozen=True):
    """Receiver to sender: the other asks what is stored of a conversation."""

    conversation: bytes


class Settled(Struct, frozen=True):
    """Receiver to sender: the other has stored so many items of a conversation."""

    conversation: bytes
    upto: int


class Moved(Struct, frozen=True):
    """Receiver to sender: the callee is somewhere else now."""

    host: str
    port: int


class LineGone(Struct, frozen=True):
    """Receiver to sender: there will be no link any more, and why."""

    error: LandlineError | None


class Bound(Struct, frozen=True):
    """Receiver to application: the PAIR listens on ``port``."""

    port: int


class Knocked(Struct, frozen=True):
    """Receiver to application: a caller is there that the gate knows by ``key``.

    A conversation that is ``resumed`` goes on by itself; any other waits for
    an answer.
    """

    hello: Hello
    key: bytes
    resumed: bool


class Rang(Struct, frozen=True):
    """Receiver to application: it rings at the callee's."""


class Opened(Struct, frozen=True):
    """Receiver to application: the conversation has begun, or goes on."""


class Arrived(Struct, frozen=True):
    """Receiver to application: the events of one batch, which has so many ``octets``."""

    events: list[Event]
    octets: int


class Over(Struct, frozen=True):
    """Sender to application: nothing comes any more; ``error`` says why, if it broke."""

    error: LandlineError | None


Letter = (
    Said
    | SayBye
    | Read
    | Answer
    | HangUp
    | Greeted
    | LinkUp
    | LinkDown
    | Store
    | Synced
    | Acked
    | Asked
    | Settled
    | Moved
    | LineGone
)
Notice = (
    Bound
    | Connected
    | Knocked
    | Rang
    | Opened
    | Arrived
    | Delivered
    | Ended
    | Reconnecting
    | Reconnected
    | Over
)

Mailbox = SimpleQueue[Letter]
Held = SimpleQueue[Heard]
"""What was heard and waits to be stored: nobody is woken by it.

It is stored with a ``Store``, or with the next thing that is said, and before that:
what answers it stands behind it in the history.
"""
Notices = SimpleQueue[Notice]

SAID = Said()
STORE = Store()


class Room:
    """What is said and not yet on the wire, bounded in characters.

    The one thing that the application's threads and the sender share, under
    its own lock. ``put`` waits while there is more than ``most``.
    """

    def __init__(self, most: int, mailbox: Mailbox) -> None:
        self._most = most
        self._mailbox = mailbox
        self._texts: list[Text] = []
        self._size = 0
        self._beyond = 0
        self._said = 0
        self._said_bye = False
        self._closed = False
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0

    def put(self, text: Text) -> int:
        """Take a text, when there is room, and return its number.

        Raises:
            ConversationBroken: bye has been said, or the conversation has ended.
        """
        with self._lock:
            self._let_in()
            self._texts.append(text)
            self._size += len(text.text) + TEXT_ROOM
            self._said += 1
            return self._said

    def put_all(self, texts: Sequence[Text]) -> int:
        """Take texts, all or none, when there is room, and return the number of the last.

        Raises: as ``put``.
        """
        with self._lock:
            self._let_in()
            self._texts += texts
            self._size += sum([len(each.text) for each in texts]) + TEXT_ROOM * len(texts)
            self._said += len(texts)
            return self._said

    def put_bye(self, at_ms: int) -> None:
        """Let nothing more in, and tell the sender. May be called again."""
        with self._lock:
            if not self._said_bye:
                self._said_bye = True
                self._mailbox.put(SayBye(at_ms))
                self._changed.notify_all()

    def take(self) -> list[Text]:
        """Return all that was put and not yet taken; it goes on counting as ``beyond``."""
        with self._lock:
            texts, self._texts = self._texts, []
            self._beyond += self._size
            self._size = 0
        return texts

    def hold(self, beyond: int) -> None:
        """Set how much of what was taken still waits for the wire."""
        with self._lock:
            self._beyond = beyond
            if self._waiting and self._size + beyond <= self._most:
                self._changed.notify_all()

    def close(self) -> int:
        """Let nothing more in, wake whoever waits, and return how much was put."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()
            return self._said

    def _let_in(self) -> None:
        """Wait for room, and tell the sender if it has taken all that was put before."""
        while self._size + self._beyond > self._most and not (self._closed or self._said_bye):
            self._waiting += 1
            try:
                self._changed.wait()
            finally:
                self._waiting -= 1
        if self._said_bye:
            raise ConversationBroken("you have said bye; nothing was sent")
        if self._closed:
            raise ConversationBroken("the conversation has ended; nothing was sent")
        if not self._texts:
            self._mailbox.put(SAID)
