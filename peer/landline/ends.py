"""The two ends of a line: what a caller dials with, and what a callee listens with.

Values, and what each says for itself. Nothing here opens a socket.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from landline.journal import Journal, KeptConversation, Progress
from landline.letters import Parties
from landline_protocol import VERSION
from landline_protocol.conversation import Inbound, Outbound
from landline_protocol.errors import FailCode, RemoteProtocolError
from landline_protocol.frames import Hello, Refuse
from landline_protocol.invite import bracketed
from landline_protocol.limits import DIAL_S, HELLO_DEADLINE_S, REDIAL_S, RING_S
from landline_protocol.link import Role, choose_version


class Address(NamedTuple):
    """Where a callee listens."""

    host: str
    port: int

    @property
    def text(self) -> str:
        """``host:port``, an IPv6 address in brackets."""
        return f"{bracketed(self.host)}:{self.port}"


class Knocker(NamedTuple):
    """Who knocks, by the gate's word: a user name, and the key of the device."""

    name: str
    key: bytes

    @classmethod
    def parse(cls, user_id: str) -> "Knocker":
        """Read what the gate has set as the connection's ``User-Id``."""
        name, _, key = user_id.partition(" ")
        return cls(name, bytes.fromhex(key))

    @property
    def user_id(self) -> bytes:
        """What the gate sets as the connection's ``User-Id``."""
        return f"{self.name} {self.key.hex()}".encode()


@dataclass(frozen=True)
class Guest:
    """With whom a line talks, and the two directions as they are before its first link.

    ``inbound`` is the receiver's, ``outbound`` the sender's from ``Greeted`` on.
    """

    parties: Parties
    inbound: Inbound
    outbound: Outbound

    @classmethod
    def new(cls, parties: Parties) -> "Guest":
        """Return with whom a new conversation is."""
        conversation, role = parties.conversation, parties.role
        return cls(parties, Inbound(conversation, role.other), Outbound(conversation, role))

    @classmethod
    def known(cls, parties: Parties, kept: KeptConversation, journal: Journal) -> "Guest":
        """Return with whom one is that goes on; ``journal`` is that of ``kept``, in a snapshot.

        Raises:
            JournalUnusable: it cannot be read.
        """
        guest = cls.new(parties)
        # The hello or welcome acknowledges them, and who stored them may have died before a sync.
        journal.sync()
        guest.inbound.restore(journal.chunks(kept.id, mine=False))
        guest.outbound.restore(journal.chunks(kept.id, mine=True), kept.confirmed)
        return guest


@dataclass(frozen=True)
class Dial:
    """How a caller reaches a callee, and what it says first.

    It waits ``dial_s`` seconds for the welcome and then, while it rings,
    ``grace_s`` longer than ``ring_s``; a broken link is dialled again for
    ``redial_s``. ``ask`` returns where the callee is by now, if the broker
    knows.
    """

    role: ClassVar[Role] = Role.CALLER

    me: str
    guest: Guest
    ring: bool = True
    ring_s: float = RING_S
    dial_s: float = DIAL_S
    grace_s: float = HELLO_DEADLINE_S
    redial_s: float = REDIAL_S
    ask: Callable[[], Address | None] = lambda: None

    @property
    def address(self) -> Address:
        """Where the callee is."""
        return Address(self.guest.parties.host, self.guest.parties.port)

    def hello(self, parties: Parties, resume: int, window: int) -> Hello:
        """Return the first frame of a link."""
        return Hello(
            versions=(VERSION, VERSION),
            conversation=parties.conversation,
            caller=self.me,
            callee=parties.other,
            resume=resume,
            window=window,
            ring=self.ring,
        )


@dataclass(frozen=True)
class Listen:
    """Where a callee waits: ``port`` 0 means any that is free.

    ``journal`` knows the conversations that were; it rings for ``ring_s``
    seconds, a caller has ``hello_s`` to say hello, and one whose link broke
    has ``redial_s`` to come back.
    """

    role: ClassVar[Role] = Role.CALLEE

    name: str
    port: int
    journal: Journal
    ring_s: float = RING_S
    hello_s: float = HELLO_DEADLINE_S
    redial_s: float = REDIAL_S

    def admit(self, hello: Hello, knocker: Knocker, guest: Guest | None) -> Guest | Refuse:
        """Say with whom a caller who says ``hello`` is to talk, or why with nobody.

        ``guest`` is whose conversation is in progress, if one is.
        """
        try:
            choose_version(hello)
        except RemoteProtocolError as error:
            return Refuse(error.code, str(error))
        if (hello.caller, hello.callee) != (knocker.name, self.name):
            return Refuse(FailCode.WRONG_NAME, "the names are not those that the broker knows")
        if guest is None:
            guest = self._find(hello, knocker)
        elif (hello.conversation, knocker.key) != (guest.parties.conversation, guest.parties.key):
            guest = None
        if guest is None:
            return Refuse(FailCode.UNKNOWN_CONVERSATION, "this conversation is not known here")
        return guest

    def _find(self, hello: Hello, knocker: Knocker) -> Guest | None:
        """Return a new conversation, or one of the journal's that can go on."""
        conversation = hello.conversation
        with self.journal.snapshot():
            kept = self.journal.find(conversation)
            if kept is None:
                return Guest.new(Parties(conversation, *knocker, self.role, "", 0))
            if kept.caller or (kept.other, kept.key) != knocker or kept.state is Progress.OVER:
                return None
            parties = Parties(conversation, *knocker, self.role, "", 0, kept.id)
            return Guest.known(parties, kept, self.journal)


class Engagements:
    """With whom this peer has lines, so that no two lines have one user.

    Any thread may ask; the holder is whatever stands for a line.
    """

    def __init__(self) -> None:
        self._held: dict[str, object] = {}
        self._asking = threading.Lock()

    def take(self, other: str, holder: object) -> bool:
        """Note that a line with ``other`` begins; false when there is one."""
        with self._asking:
            return self._held.setdefault(other, holder) is holder

    def has(self, other: str) -> bool:
        """Return whether there is a line with ``other``."""
        with self._asking:
            return other in self._held

    def give(self, holder: object) -> None:
        """Note that a line has ended, if it had begun."""
        with self._asking:
            for other in [name for name, held in self._held.items() if held is holder]:
                del self._held[other]
