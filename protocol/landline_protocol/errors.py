"""What can go wrong between two machines that speak the protocol.

Holds the two exceptions that state machines raise and the codes that travel
on the wire. It never decides what to do about an error.
"""

from enum import StrEnum


class ProtocolError(Exception):
    """A rule of the protocol was broken."""


class LocalProtocolError(ProtocolError):
    """This side tried a move that the protocol does not allow: a bug of ours."""


class RemoteProtocolError(ProtocolError):
    """The other side sent octets that the protocol does not allow.

    ``code`` is what this side answers before it ends the link.
    """

    def __init__(self, code: "FailCode", say: str) -> None:
        super().__init__(say)
        self.code = code


class ErrorCode(StrEnum):
    """Why a broker does not do what a request asks (SPEC section 5.4)."""

    BAD_REQUEST = "bad-request"
    VERSION = "version"
    UNKNOWN_OPERATION = "unknown-operation"
    BUSY = "busy"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"
    BAD_NAME = "bad-name"
    BAD_PASSWORD = "bad-password"
    BAD_ENDPOINT = "bad-endpoint"
    NAME_TAKEN = "name-taken"
    DENIED = "denied"
    NOT_LOGGED_IN = "not-logged-in"
    NOT_WAITING = "not-waiting"
    PORT_TAKEN = "port-taken"
    UNKNOWN_USER = "unknown-user"
    OFFLINE = "offline"
    ENGAGED = "engaged"
    SELF_CALL = "self-call"
    UNVETTED = "unvetted"


class FailCode(StrEnum):
    """Why a peer refuses, declines or ends a link (SPEC section 6.3)."""

    VERSION = "version"
    MALFORMED = "malformed"
    UNEXPECTED = "unexpected"
    TOO_LARGE = "too-large"
    WRONG_NAME = "wrong-name"
    UNKNOWN_CONVERSATION = "unknown-conversation"
    OUT_OF_ORDER = "out-of-order"
    OVERRUN = "overrun"
    DISAGREEMENT = "disagreement"
    DECLINED = "declined"
    NO_ANSWER = "no-answer"
    STORAGE = "storage"
    HUNG_UP = "hung-up"
