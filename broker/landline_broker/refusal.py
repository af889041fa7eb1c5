"""How the broker says no: a code for the peer, a line for the user.

Every line says what to do next. What the store refuses is put into words here.
"""

from math import ceil
from typing import Final

from landline_protocol.errors import ErrorCode
from landline_protocol.messages import Problem
from landline_sql import errors


class Refused(Exception):
    """The broker does not do what was asked; ``retry_after`` is in seconds."""

    def __init__(self, code: ErrorCode, say: str, retry_after: float | None = None) -> None:
        super().__init__(say)
        self.code = code
        self.say = say
        self.retry_after = retry_after

    def problem(self) -> Problem:
        """Return what goes on the wire."""
        return Problem(self.code, self.say, self.retry_after)


RETRY_UNAVAILABLE_S: Final = 1.0

_WORDS: Final[dict[type[errors.StoreError], tuple[ErrorCode, str, float | None]]] = {
    errors.Unavailable: (
        ErrorCode.UNAVAILABLE,
        "the broker cannot reach its database just now; try again in a moment",
        RETRY_UNAVAILABLE_S,
    ),
    errors.NotLoggedIn: (
        ErrorCode.NOT_LOGGED_IN,
        "log in first: landline login NAME (or, if you are new: landline register NAME)",
        None,
    ),
    errors.Revoked: (
        ErrorCode.DENIED,
        "this device was revoked; ask whoever runs the broker",
        None,
    ),
    errors.NameTaken: (
        ErrorCode.NAME_TAKEN,
        "that name is taken; choose another, or if it is yours: landline login NAME",
        None,
    ),
    errors.UnknownUser: (
        ErrorCode.UNKNOWN_USER,
        "there is no user of that name; see who there is: landline who",
        None,
    ),
    errors.Offline: (
        ErrorCode.OFFLINE,
        "that user is not waiting for callers; ask them to run: landline wait",
        None,
    ),
    errors.Engaged: (
        ErrorCode.ENGAGED,
        "that user is engaged; try again later",
        None,
    ),
    errors.NoCall: (
        ErrorCode.DENIED,
        "this device is in no call with that user; begin one: landline call NAME",
        None,
    ),
    errors.SelfCall: (
        ErrorCode.SELF_CALL,
        "that is your own name; call somebody else",
        None,
    ),
    errors.Unvetted: (
        ErrorCode.UNVETTED,
        "no caller that the broker sent has that key; do not answer",
        None,
    ),
    errors.NotWaiting: (
        ErrorCode.NOT_WAITING,
        "this device is not waiting; start again: landline wait",
        None,
    ),
    errors.PortTaken: (
        ErrorCode.PORT_TAKEN,
        "another device waits at that host and port; choose another port",
        None,
    ),
}


def from_store(error: errors.StoreError) -> Refused | None:
    """Return what a store's exception means to a peer; None if it is our bug."""
    if isinstance(error, errors.TooManyClaims):
        return Refused(
            ErrorCode.THROTTLED,
            "you called that user several times without getting through;"
            f" try again in {ceil(error.seconds)} s",
            error.seconds,
        )
    words = _WORDS.get(type(error))
    return None if words is None else Refused(*words)
