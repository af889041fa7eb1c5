"""What a conversation tells its owner, in the order in which it happens.

Values only. Texts and names in them come from elsewhere: pass them through
``visible`` before they reach a terminal.
"""

from datetime import UTC, datetime

from msgspec import Struct


class Message(Struct, frozen=True, gc=False):
    """The other said something. ``at_ms`` is the speaker's clock, in ms since 1970."""

    sender: str
    text: str
    number: int
    at_ms: int

    @property
    def at(self) -> datetime:
        """The time at which it was said, by the speaker's clock (UTC)."""
        return from_ms(self.at_ms)


class Delivered(Struct, frozen=True):
    """Everything that was said here up to number ``upto`` is stored over there."""

    upto: int


class SaidBye(Struct, frozen=True):
    """The other has said bye and will say no more; you may still."""

    sender: str
    at_ms: int

    @property
    def at(self) -> datetime:
        """The time at which it was said, by the speaker's clock (UTC)."""
        return from_ms(self.at_ms)


class Ended(Struct, frozen=True):
    """Both have said bye: ``said`` messages from here, ``heard`` from there.

    Both sides hold the same conversation; their digests agree.
    """

    said: int
    heard: int


class Reconnecting(Struct, frozen=True):
    """The connection was lost; what is said is kept until there is another."""

    name: str


class Reconnected(Struct, frozen=True):
    """The connection is back; nothing was lost."""

    name: str


Event = Message | Delivered | SaidBye | Ended | Reconnecting | Reconnected


class EndpointReceived(Struct, frozen=True):
    """The broker has said where the callee is; it is not needed any more."""

    name: str
    host: str
    port: int


class Connected(Struct, frozen=True):
    """The link stands, straight from ``here`` to ``there``, encrypted."""

    here: str
    there: str


class Ringing(Struct, frozen=True):
    """It rings at the other's."""

    name: str


class CaughtUp(Struct, frozen=True):
    """What the other went on to say in a conversation in which this side had said bye.

    The program was killed before it had heard them out; now the call goes on to a
    new conversation.
    """

    name: str
    messages: list[Message]


Progress = EndpointReceived | Connected | Ringing | CaughtUp


def from_ms(at_ms: int) -> datetime:
    """Return the UTC time that is ``at_ms`` milliseconds after 1970."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
