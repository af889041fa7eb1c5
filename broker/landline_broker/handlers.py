"""What the broker does for each operation (SPEC section 5).

Plain functions of who asks, what is asked and the services that answer it. No
sockets, no SQL. Each gives the same answer when the same request comes again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

from landline_broker.address import BadAddress, is_loopback, published_host
from landline_broker.context import Context
from landline_broker.passwords import Passwords
from landline_broker.refusal import Refused
from landline_protocol import VERSION
from landline_protocol.errors import ErrorCode
from landline_protocol.limits import PASSWORD_MAX, PASSWORD_MIN, RING_S, WHO_PAGE_MAX
from landline_protocol.messages import (
    Account,
    Call,
    Claimed,
    Done,
    Greeting,
    Hello,
    Leased,
    Leave,
    LoggedIn,
    Login,
    Logout,
    Policy,
    Presence,
    Register,
    Registered,
    Renew,
    Reply,
    Request,
    Roll,
    Vet,
    Vetted,
    Wait,
    Who,
)
from landline_protocol.names import (
    InvalidName,
    InvalidPassword,
    canonical_name,
    canonical_password,
)
from landline_sql.devices import Session
from landline_sql.endpoints import Place
from landline_sql.roll import Entry
from landline_sql.store import Store
from landline_sql.users import User


@dataclass(frozen=True)
class Services:
    """What handlers work with: the store, the password hasher, the broker's name."""

    store: Store
    passwords: Passwords
    name: str

    @property
    def policy(self) -> Policy:
        """The broker's rules as peers are told."""
        rules = self.store.rules
        return Policy(PASSWORD_MIN, PASSWORD_MAX, rules.lease, rules.claim, RING_S)


def hello(who: Context, _: Hello, services: Services) -> Greeting:
    """Say who the broker is and, if the device is logged in, as whom."""
    session = services.store.session(who.device)
    account = None if session is None else _account(session)
    return Greeting(services.name, (VERSION, VERSION), services.policy, account)


def register(who: Context, asked: Register, services: Services) -> Registered:
    """Make a user with a port of its own, unless the name is taken."""
    name, password = _name(asked.name), _password(asked.password)
    store = services.store
    user = store.registered(name, who.device, who.request_id)
    if user is None:
        _unless_blocked(store.register_blocked(who.address), "registrations")
        secret = services.passwords.hash(password)
        user = store.register(name, secret, who.device, who.request_id, who.address)
    return Registered(_account(user))


def login(who: Context, asked: Login, services: Services) -> LoggedIn:
    """Bind the device to the user whose password this is.

    A wrong password and an unknown name take the same steps and get the same
    answer.
    """
    name, password = _name(asked.name), _password(asked.password)
    store, passwords = services.store, services.passwords
    _unless_blocked(store.login_blocked(name, who.address), "failed logins")
    known = store.credentials(name)
    if not passwords.check(password, None if known is None else known.hash) or known is None:
        store.denied(name, who.address)
        raise Refused(ErrorCode.DENIED, "the name or the password is wrong; check both")
    expires = store.login(known.user, who.device, who.address)
    if passwords.is_dated(known.hash):
        store.rehash(known.user, passwords.hash(password))
    return LoggedIn(_account(known.user), expires)


def logout(who: Context, _: Logout, services: Services) -> Done:
    """Unbind the device; what it published goes."""
    services.store.logout(who.device, who.address)
    return Done()


def wait(who: Context, asked: Wait, services: Services) -> Leased:
    """Publish the device's endpoint and let it wait for callers."""
    place = Place(_host(asked.host, who.address), asked.port)
    observed = not asked.host
    lease = services.store.publish(who.device, place, who.request_id, observed=observed)
    return Leased(place.host, place.port, lease)


def renew(who: Context, asked: Renew, services: Services) -> Leased:
    """Prolong the lease and, while engaged, the call; see where the device is now."""
    place = services.store.renew(who.device, asked.engaged, _host("", who.address))
    return Leased(place.host, place.port, services.store.rules.lease)


def leave(who: Context, _: Leave, services: Services) -> Done:
    """Take the endpoint back."""
    services.store.leave(who.device)
    return Done()


def call(who: Context, asked: Call, services: Services) -> Claimed:
    """Claim an endpoint at which the named user waits, or find the one in a call with us."""
    store, name = services.store, _lenient(asked.name)
    if asked.resume:
        claim = store.resume(who.device, name)
    else:
        claim = store.claim(who.device, name, who.request_id)
    place = claim.place
    return Claimed(claim.call, claim.name, place.host, place.port, claim.key, claim.expires)


def vet(who: Context, asked: Vet, services: Services) -> Vetted:
    """Say whose key knocks, if the broker sent its owner to this device."""
    caller = services.store.vet(who.device, asked.key)
    return Vetted(caller.call, caller.name)


def who(who: Context, asked: Who, services: Services) -> Roll:
    """Say what one user does, or all users, a page at a time."""
    store = services.store
    if asked.name is not None:
        return Roll([_presence(store.who(who.device, _lenient(asked.name)))], more=False)
    entries = store.page(who.device, asked.after, WHO_PAGE_MAX + 1)
    more = len(entries) > WHO_PAGE_MAX
    return Roll([_presence(entry) for entry in entries[:WHO_PAGE_MAX]], more)


HANDLERS: dict[type[Request], Callable[[Context, Any, Services], Reply]] = {
    Hello: hello,
    Register: register,
    Login: login,
    Logout: logout,
    Wait: wait,
    Renew: renew,
    Leave: leave,
    Call: call,
    Vet: vet,
    Who: who,
}


def _account(of: User | Session) -> Account:
    return Account(of.name, of.port or 0)


def _presence(entry: Entry) -> Presence:
    return Presence(entry.name, entry.state)


def _name(text: str) -> str:
    try:
        return canonical_name(text)
    except InvalidName as error:
        raise Refused(ErrorCode.BAD_NAME, str(error)) from None


def _lenient(text: str) -> str:
    """Return the name as it would be registered; what cannot be a name is nobody's."""
    try:
        return canonical_name(text)
    except InvalidName:
        return ""


def _password(text: str) -> bytes:
    try:
        return canonical_password(text)
    except InvalidPassword as error:
        raise Refused(ErrorCode.BAD_PASSWORD, str(error)) from None


def _host(named: str, seen: str) -> str:
    """Return what callers are told; empty means: where you reach the broker."""
    if not named:
        return "" if is_loopback(seen) else seen
    try:
        return published_host(named)
    except BadAddress as error:
        raise Refused(ErrorCode.BAD_ENDPOINT, str(error)) from None


def _unless_blocked(seconds: float, what: str) -> None:
    if seconds > 0:
        raise Refused(
            ErrorCode.THROTTLED,
            f"too many {what} from this address; try again in {ceil(seconds)} s",
            retry_after=seconds,
        )
