"""Why the store does not do what it was asked.

The hierarchy is drawn here in full. None of these exceptions carries a
password, a hash or a database URL.
"""


class StoreError(Exception):
    """Every exception that the store raises on purpose."""


class Unavailable(StoreError):
    """The database cannot be reached, or is too busy, just now.

    Nothing is known to have been done; the same request may be sent again.
    """


class BadDatabase(StoreError):
    """The database URL or the database itself cannot be used; the text says why."""


class SchemaError(BadDatabase):
    """The tables are not those of this version."""


class Refusal(StoreError):
    """What was asked is not possible as things stand."""


class NotLoggedIn(Refusal):
    """The device has no live session."""


class Revoked(Refusal):
    """The device was revoked."""


class NameTaken(Refusal):
    """Another user has the name."""


class UnknownUser(Refusal):
    """There is no user of that name."""


class Offline(Refusal):
    """The user has no valid endpoint and is in no call."""


class Engaged(Refusal):
    """All the user's endpoints are claimed or in a conversation."""


class TooManyClaims(Refusal):
    """The caller claimed this user again and again without coming; ``seconds`` says how long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class NoCall(Refusal):
    """The device is in no call with that user."""


class SelfCall(Refusal):
    """The caller and the callee are the same user."""


class Unvetted(Refusal):
    """No live claim on this device's endpoint belongs to that key."""


class NotWaiting(Refusal):
    """The device has no endpoint."""


class PortTaken(Refusal):
    """Another device's valid endpoint has the same host and port."""
