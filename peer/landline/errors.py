"""Everything that can go wrong for the user of a peer.

The text of an exception is the one line that the user reads: it says what to
do next. ``exit_status`` is what a command ends with. Nothing is raised here.
"""

from landline_protocol.errors import ErrorCode

# LandlineError                    1
#  ├─ InvalidInput                 2
#  ├─ HomeUnusable                 1
#  │   └─ HomeInUse                1
#  ├─ JournalUnusable              1
#  ├─ Unavailable                  3
#  │   ├─ UnknownUser, Offline, Engaged, NoAnswer
#  ├─ NotAdmitted                  4
#  │   ├─ Denied, NotLoggedIn, Throttled, Refused
#  ├─ BrokerUnreachable            5
#  │   └─ WrongBroker              5
#  ├─ BrokerFailed                 1
#  │   ├─ NameTaken, PortTaken, NotWaiting
#  ├─ Declined                     6
#  ├─ RecordsDiffer                1
#  └─ ConversationBroken           7
#      └─ ConnectionLost           7


class LandlineError(Exception):
    """Something went wrong that the user can read about."""

    exit_status = 1


class InvalidInput(LandlineError):
    """What the user gave cannot be used."""

    exit_status = 2


class HomeUnusable(LandlineError):
    """The home directory cannot be read or written."""


class HomeInUse(HomeUnusable):
    """Another process talks from this home."""


class JournalUnusable(LandlineError):
    """The journal cannot be read or written; nothing more is accepted."""


class Unavailable(LandlineError):
    """The other cannot be called now."""

    exit_status = 3


class UnknownUser(Unavailable):
    """No user has this name."""


class Offline(Unavailable):
    """The user does not wait for calls, or cannot be reached."""


class Engaged(Unavailable):
    """The user is in another conversation."""


class NoAnswer(Unavailable):
    """It rang, and nobody answered."""


class NotAdmitted(LandlineError):
    """This device may not do that."""

    exit_status = 4


class Denied(NotAdmitted):
    """The name or the password is wrong."""


class NotLoggedIn(NotAdmitted):
    """This device is not logged in."""


class Throttled(NotAdmitted):
    """Too many attempts; try again later."""


class Refused(NotAdmitted):
    """The other peer's program does not let this device in."""


class BrokerUnreachable(LandlineError):
    """No broker answers at the address of the invite."""

    exit_status = 5


class WrongBroker(BrokerUnreachable):
    """What answers there is not the broker of the invite."""


class BrokerFailed(LandlineError):
    """The broker answered, but could not do what was asked."""


class NameTaken(BrokerFailed):
    """Another user has this name."""


class PortTaken(BrokerFailed):
    """Another device has published this endpoint."""


class NotWaiting(BrokerFailed):
    """The broker does not know this device's endpoint any more."""


class Declined(LandlineError):
    """The other did not take the call."""

    exit_status = 6


class RecordsDiffer(LandlineError):
    """The two sides do not hold the same conversation: an error of a program or a disk."""

    def __init__(self, other: str) -> None:
        super().__init__(
            f"THE RECORDS DIFFER: what {other} holds of this conversation is not what is held"
            " here; do not rely on it, and compare both histories"
        )


class ConversationBroken(LandlineError):
    """The conversation ended before both had said bye.

    ``unconfirmed`` counts the messages of which it is not known that the
    other side has stored them.
    """

    exit_status = 7

    def __init__(self, say: str, unconfirmed: int = 0) -> None:
        super().__init__(say)
        self.unconfirmed = unconfirmed


class ConnectionLost(ConversationBroken):
    """The connection went away, for whatever reason."""


BY_CODE: dict[str, type[LandlineError]] = {
    ErrorCode.VERSION: WrongBroker,
    ErrorCode.THROTTLED: Throttled,
    ErrorCode.BUSY: BrokerUnreachable,
    ErrorCode.UNAVAILABLE: BrokerUnreachable,
    ErrorCode.BAD_NAME: InvalidInput,
    ErrorCode.BAD_PASSWORD: InvalidInput,
    ErrorCode.BAD_ENDPOINT: InvalidInput,
    ErrorCode.NAME_TAKEN: NameTaken,
    ErrorCode.DENIED: Denied,
    ErrorCode.NOT_LOGGED_IN: NotLoggedIn,
    ErrorCode.NOT_WAITING: NotWaiting,
    ErrorCode.PORT_TAKEN: PortTaken,
    ErrorCode.UNKNOWN_USER: UnknownUser,
    ErrorCode.OFFLINE: Offline,
    ErrorCode.ENGAGED: Engaged,
    ErrorCode.SELF_CALL: InvalidInput,
}
"""Which exception a broker's error code becomes; any other is ``BrokerFailed``."""
