"""The two ends of a link: what a caller dials with, and what a callee listens with.

Values, and what each says for itself. Nothing here opens a socket.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from landline_protocol.errors import FailCode, RemoteProtocolError
from landline_protocol.frames import Hello, Refuse
from landline_protocol.invite import bracketed
from landline_protocol.limits import DIAL_S, HELLO_DEADLINE_S, RING_S
from landline_protocol.link import Role, choose_version


@dataclass(frozen=True)
class Dial:
    """How a caller reaches a callee, and what it says first.

    It waits ``dial_s`` seconds for the welcome and then, while it rings,
    ``grace_s`` longer than ``ring_s``.
    """

    role: ClassVar[Role] = Role.CALLER

    host: str
    port: int
    key: bytes
    hello: Hello
    ring_s: float = RING_S
    dial_s: float = DIAL_S
    grace_s: float = HELLO_DEADLINE_S

    @property
    def address(self) -> str:
        """``host:port``, an IPv6 address in brackets."""
        return f"{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True)
class Listen:
    """Where a callee waits: ``port`` 0 means any that is free.

    ``known`` says of a conversation's id whether it has been used; it rings
    for ``ring_s`` seconds, and a caller has ``hello_s`` to say hello.
    """

    role: ClassVar[Role] = Role.CALLEE

    name: str
    port: int
    known: Callable[[bytes], bool]
    ring_s: float = RING_S
    hello_s: float = HELLO_DEADLINE_S

    def refusal(self, hello: Hello, knocker: str) -> Refuse | None:
        """Say why a hello cannot be welcomed, if so.

        ``knocker`` is the caller's name by the gate's word.
        """
        try:
            choose_version(hello)
        except RemoteProtocolError as error:
            return Refuse(error.code, str(error))
        if (hello.caller, hello.callee) != (knocker, self.name):
            return Refuse(FailCode.WRONG_NAME, "the names are not those that the broker knows")
        if hello.resume != 1 or self.known(hello.conversation):
            return Refuse(FailCode.UNKNOWN_CONVERSATION, "this conversation is not known here")
        return None
