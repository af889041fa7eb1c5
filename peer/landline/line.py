"""What the threads of one link say to each other.

The letters that go into the sender's mailbox, the notices that go to the
application's thread, and the room that makes ``send`` wait. It starts nothing
and owns no socket.
"""

import threading
from queue import SimpleQueue

from msgspec import Struct

from landline.errors import LandlineError
from landline.events import Connected, Delivered, Ended, Event
from landline_protocol.frames import Ack, ControlFrame, Hello, Item
from landline_protocol.link import Role

TEXT_ROOM = 64
"""What a text takes besides its characters."""
HANG_UP = b""
"""What the sender tells the receiver when the link is to end."""


class Say(Struct, frozen=True, gc=False):
    """Application to sender: send this text."""

    text: str
    at_ms: int


class SayBye(Struct, frozen=True):
    """Application to sender: this side has said all."""

    at_ms: int


class Read(Struct, frozen=True):
    """Application to sender: so many octets of items have been read."""

    octets: int


class Control(Struct, frozen=True):
    """Application to sender: pass this frame on to the receiver."""

    frame: ControlFrame


class HangUp(Struct, frozen=True):
    """Application to sender: end the link, whatever is still to be said."""


class Opened(Struct, frozen=True):
    """Receiver to sender and to application: the conversation begins."""

    conversation: bytes
    other: str
    role: Role
    window: int


class Heard(Struct, frozen=True):
    """Receiver to sender: these items came; ``upto`` is the number of the last."""

    items: list[Item]
    upto: int
    octets: int
    digest: bytes


class Acked(Struct, frozen=True):
    """Receiver to sender: the other side acknowledges."""

    ack: Ack


class LinkGone(Struct, frozen=True):
    """Receiver to sender: the link is over, and why."""

    error: LandlineError | None


class Bound(Struct, frozen=True):
    """Receiver to application: the PAIR listens on ``port``."""

    port: int


class Knocked(Struct, frozen=True):
    """Receiver to application: a vetted caller is there, and it rings."""

    hello: Hello


class Rang(Struct, frozen=True):
    """Receiver to application: it rings at the callee's."""


class Arrived(Struct, frozen=True):
    """Receiver to application: the events of one batch, which has so many ``octets``."""

    events: list[Event]
    octets: int


class Over(Struct, frozen=True):
    """Sender to application: nothing comes any more; ``error`` says why, if it broke."""

    error: LandlineError | None


Letter = Say | SayBye | Read | Control | HangUp | Opened | Heard | Acked | LinkGone
Notice = Bound | Connected | Knocked | Rang | Opened | Arrived | Delivered | Ended | Over

Mailbox = SimpleQueue[Letter]
Notices = SimpleQueue[Notice]


def weight(text: str) -> int:
    """Return how much room a text takes: none is for nothing, not even an empty one."""
    return len(text) + TEXT_ROOM


class Room:
    """Bounds what is accepted and not yet on the wire, in characters.

    The one thing that the application's threads and the sender share, under
    its own lock. The way into the mailbox leads through it, so that nothing
    that is said gets lost behind the sender's last look.
    """

    def __init__(self, most: int, mailbox: Mailbox) -> None:
        self._most = most
        self._mailbox = mailbox
        self._used = 0
        self._closed = False
        self._changed = threading.Condition()

    def take(self, size: int) -> bool:
        """Wait until there is room, then take it; false when the link has ended."""
        with self._changed:
            while self._used > self._most and not self._closed:
                self._changed.wait()
            self._used += size
            return not self._closed

    def post(self, letter: Say) -> bool:
        """Put a letter into the mailbox; false when the link has ended."""
        with self._changed:
            if not self._closed:
                self._mailbox.put(letter)
            return not self._closed

    def give(self, size: int) -> None:
        """Give room back."""
        with self._changed:
            self._used -= size
            if self._used <= self._most:
                self._changed.notify_all()

    def close(self) -> None:
        """Wake whoever waits: nothing is sent any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
