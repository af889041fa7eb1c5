"""Every request that a peer makes of a broker, and every reply.

Typed and validated by msgspec (SPEC section 5). Only shapes live here: how
they become frames is ``codec``, what they do is the broker's.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from landline_protocol.invite import HOST
from landline_protocol.limits import (
    CALL_ID_OCTETS,
    HOST_MAX,
    KEY_OCTETS,
    PORT_MAX,
    SAY_MAX,
    WHO_PAGE_MAX,
)
from landline_protocol.names import NAME

# A name or a password as typed: the handler checks it and answers in words.
Typed = Annotated[str, Meta(max_length=1_024)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
# A user in a reply: a peer makes a file name of it, and compares it.
UserName = Annotated[str, Meta(pattern=NAME)]
# Empty, or a host that is safe to stand in a ZeroMQ endpoint.
Host = Annotated[str, Meta(max_length=HOST_MAX, pattern=rf"\A\Z|{HOST}")]
Port = Annotated[int, Meta(ge=0, le=PORT_MAX)]
Key = Annotated[bytes, Meta(min_length=KEY_OCTETS, max_length=KEY_OCTETS)]
CallId = Annotated[bytes, Meta(min_length=CALL_ID_OCTETS, max_length=CALL_ID_OCTETS)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Say = Annotated[str, Meta(max_length=SAY_MAX)]
State = Literal["waiting", "engaged", "offline"]


class Reply(Struct, frozen=True):
    """What a broker answers when it does what was asked."""


class Request(Struct, frozen=True):
    """What a peer asks of a broker.

    ``operation`` is the word in the operation frame, ``reply`` the type of
    the body that answers it.
    """

    operation: ClassVar[str]
    reply: ClassVar[type[Reply]]


class Policy(Struct, frozen=True):
    """The broker's rules, so that a peer can say them before it asks."""

    password_min: int
    password_max: int
    lease: Seconds
    claim: Seconds
    ring: Seconds


class Account(Struct, frozen=True):
    """A user as this device is logged in: ``port`` 0 means none is assigned."""

    name: UserName
    port: Port


class Greeting(Reply, frozen=True):
    """The initialisation message: who the broker is and what it knows of this device."""

    broker: Name
    versions: tuple[int, int]
    policy: Policy
    account: Account | None


class Hello(Request, frozen=True):
    """Ask who the broker is."""

    operation = "hello"
    reply = Greeting
    software: Name


class Registered(Reply, frozen=True):
    """The new user, with the port that is the user's from now on."""

    account: Account


class Register(Request, frozen=True):
    """Make a new user."""

    operation = "register"
    reply = Registered
    name: Typed
    password: Typed

    def __repr__(self) -> str:
        return f"Register(name={self.name!r})"


class LoggedIn(Reply, frozen=True):
    """This device is the user's for ``expires`` seconds."""

    account: Account
    expires: Seconds


class Login(Request, frozen=True):
    """Bind this device to a user."""

    operation = "login"
    reply = LoggedIn
    name: Typed
    password: Typed

    def __repr__(self) -> str:
        return f"Login(name={self.name!r})"


class Done(Reply, frozen=True):
    """It is so; there is nothing else to say."""


class Logout(Request, frozen=True):
    """Unbind this device from its user."""

    operation = "logout"
    reply = Done


class Leased(Reply, frozen=True):
    """The endpoint stands for ``lease`` seconds; ``host`` is what callers are told."""

    host: Host
    port: Port
    lease: Seconds


class Wait(Request, frozen=True):
    """Publish this device's endpoint. An empty ``host`` means: as the broker sees me."""

    operation = "wait"
    reply = Leased
    port: Annotated[int, Meta(ge=1, le=PORT_MAX)]
    host: Typed = ""


class Renew(Request, frozen=True):
    """Prolong the lease; ``engaged`` while a call or a conversation is on."""

    operation = "renew"
    reply = Leased
    engaged: bool


class Leave(Request, frozen=True):
    """Take this device's endpoint back."""

    operation = "leave"
    reply = Done


class Claimed(Reply, frozen=True):
    """The callee's endpoint, this caller's for ``expires`` seconds unless prolonged.

    An empty ``host`` means: where you reach the broker.
    """

    call: CallId
    name: UserName
    host: Host
    port: Annotated[int, Meta(ge=1, le=PORT_MAX)]
    key: Key
    expires: Seconds


class Call(Request, frozen=True, omit_defaults=True):
    """Claim the endpoint of a waiting user.

    ``resume`` claims nothing: it asks where the user is with whom this device
    is in a call already.
    """

    operation = "call"
    reply = Claimed
    name: Typed
    resume: bool = False


class Vetted(Reply, frozen=True):
    """The key belongs to ``name``, whom the broker sent with this call."""

    call: CallId
    name: UserName


class Vet(Request, frozen=True):
    """Ask whether the key that knocks belongs to a caller that the broker sent."""

    operation = "vet"
    reply = Vetted
    key: Key


class Presence(Struct, frozen=True):
    """One user and what the user does."""

    name: UserName
    state: State


class Roll(Reply, frozen=True):
    """Users by name; ``more`` says that further names follow the last one."""

    users: Annotated[list[Presence], Meta(max_length=WHO_PAGE_MAX)]
    more: bool


class Who(Request, frozen=True):
    """Ask for one user by ``name``, or for all users after the name ``after``."""

    operation = "who"
    reply = Roll
    name: Typed | None = None
    after: Typed = ""


class Problem(Struct, frozen=True):
    """Why a broker did not do what was asked.

    ``code`` is repeated in the status frame. ``retry_after`` is in seconds;
    ``incident`` is what an operator finds in the broker's log.
    """

    code: Name
    say: Say
    retry_after: Seconds | None = None
    incident: Name | None = None


REQUESTS: dict[str, type[Request]] = {
    request.operation: request
    for request in (Hello, Register, Login, Logout, Wait, Renew, Leave, Call, Vet, Who)
}
