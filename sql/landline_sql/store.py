"""The store: everything a broker asks of its database, one method each.

Each method is one transaction or one query, and gives the same answer when the
same request comes again. Devices are named by their CURVE public key (32
octets), users by their canonical names; times are in seconds. Any method may
raise ``Unavailable``.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from sqlalchemy import Connection

from landline_protocol.limits import CLAIM_S, LEASE_S, PORT_FIRST, PORT_LAST, SESSION_S
from landline_sql import audit, calls, devices, endpoints, roll, throttle, users
from landline_sql.calls import Caller, Claim
from landline_sql.database import Database
from landline_sql.devices import Device, Session
from landline_sql.endpoints import Place
from landline_sql.errors import NotLoggedIn
from landline_sql.roll import Entry
from landline_sql.throttle import LOGIN, REGISTER, WHOLE_ADDRESS, Penalty
from landline_sql.users import Credentials, User

_KEEP_EXPIRED_S: Final = 600.0
_KEEP_THROTTLE_S: Final = 24 * 3600.0
_KEEP_AUDIT_S: Final = 90 * 24 * 3600.0

ACCOUNT_PENALTY: Final = Penalty(5, window=900, first=2, longest=900)
ADDRESS_PENALTY: Final = Penalty(20, window=900, first=2, longest=60)
CLAIM_PENALTY: Final = Penalty(3, window=600, first=60, longest=600)
REGISTER_PENALTY: Final = Penalty(200, window=3600, first=3600, longest=3600, sliding=False)


@dataclass(frozen=True)
class Rules:
    """What the store goes by; times are in seconds.

    ``ports`` is what users are assigned from. The penalties are for failed
    logins of one account from one address, for failed logins of all accounts
    from one address, for registrations from one address, and for claims of one
    caller for one callee that were not vetted.
    """

    lease: float = LEASE_S
    claim: float = CLAIM_S
    session: float = SESSION_S
    ports: range = range(PORT_FIRST, PORT_LAST + 1)
    account_penalty: Penalty = ACCOUNT_PENALTY
    address_penalty: Penalty = ADDRESS_PENALTY
    register_penalty: Penalty = REGISTER_PENALTY
    claim_penalty: Penalty = CLAIM_PENALTY


class Store:
    """A broker's memory. Threads share it; each holds a connection of its own."""

    def __init__(self, database: Database, rules: Rules = Rules()) -> None:
        self.database = database
        self.rules = rules

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection. No other thread may be using the store."""
        self.database.close()

    def release(self) -> None:
        """Close the calling thread's connection; a later call opens another."""
        self.database.release()

    def interrupt(self) -> None:
        """Break off what other threads wait for the database to do."""
        self.database.interrupt()

    # Users.

    def registered(self, name: str, device: bytes, request_id: bytes) -> User | None:
        """Return the user this request has registered already; None if the name is free.

        Raises:
            NameTaken: somebody else has the name.
        """
        return self.database.read(lambda c: users.registered(c, name, device, request_id))

    def register(
        self, name: str, secret: bytes, device: bytes, request_id: bytes, address: str
    ) -> User:
        """Make a user with a port that nobody has. ``secret`` is the bcrypt hash.

        Raises:
            NameTaken: somebody else has the name.
        """

        def work(connection: Connection) -> User:
            known = users.registered(connection, name, device, request_id)
            if known is not None:
                return known
            port = users.free_port(connection, self.rules.ports)
            user = users.add(connection, name, secret, port, device, request_id)
            penalty = self.rules.register_penalty
            throttle.penalise(connection, REGISTER, WHOLE_ADDRESS, address, penalty)
            audit.note(connection, audit.REGISTERED, name, address)
            return user

        return self.database.write(work)

    def credentials(self, name: str) -> Credentials | None:
        """Return what a password for this name is checked against."""
        return self.database.read(lambda c: users.credentials(c, name))

    def rehash(self, user: User, secret: bytes) -> None:
        """Replace a user's hash by one of the present cost."""
        self.database.write(lambda c: users.rehash(c, user.id, secret))

    # Sessions.

    def login(self, user: User, device: bytes, address: str) -> float:
        """Bind the device to the user; return for how many seconds.

        Raises:
            Revoked: the device was revoked.
        """

        def work(connection: Connection) -> None:
            devices.bind(connection, device, user.id, self.rules.session)
            throttle.forget(connection, LOGIN, user.name, address)
            audit.note(connection, audit.LOGGED_IN, user.name, address)

        self.database.write(work)
        return self.rules.session

    def denied(self, name: str, address: str) -> None:
        """Count a failed login, of a user or of nobody."""

        def work(connection: Connection) -> None:
            account, whole = self.rules.account_penalty, self.rules.address_penalty
            throttle.penalise(connection, LOGIN, name, address, account)
            throttle.penalise(connection, LOGIN, WHOLE_ADDRESS, address, whole)
            audit.note(connection, audit.DENIED, name, address)

        self.database.write(work)

    def login_blocked(self, name: str, address: str) -> float:
        """Return for how many seconds more this address may not log in as ``name``."""
        return self.database.read(lambda c: throttle.blocked(c, LOGIN, name, address))

    def register_blocked(self, address: str) -> float:
        """Return for how many seconds more this address may register nobody."""
        return self.database.read(lambda c: throttle.blocked(c, REGISTER, WHOLE_ADDRESS, address))

    def session(self, device: bytes) -> Session | None:
        """Return the device's live session, if it has one."""
        try:
            return self.database.read(lambda c: devices.session(c, device))
        except NotLoggedIn:
            return None

    def logout(self, device: bytes, address: str) -> None:
        """End the device's session, if it has one, with its endpoint and its calls."""

        def work(connection: Connection) -> None:
            session = devices.session(connection, device)
            devices.unbind(connection, session.device_id)
            audit.note(connection, audit.LOGGED_OUT, session.name, address)

        try:
            self.database.write(work)
        except NotLoggedIn:
            return

    # Endpoints.

    def publish(
        self, device: bytes, place: Place, request_id: bytes, *, observed: bool = False
    ) -> float:
        """Let the device wait at a place; return the lease.

        ``observed``: the host is where the device was seen, and follows it.

        Raises:
            NotLoggedIn: the device has no session.
            PortTaken: another device waits there.
        """

        def work(connection: Connection) -> None:
            mine = devices.session(connection, device).device_id
            lease = self.rules.lease
            endpoints.publish(connection, mine, place, request_id, lease, observed=observed)

        self.database.write(work)
        return self.rules.lease

    def renew(self, device: bytes, engaged: bool, seen: str) -> Place:
        """Prolong the device's lease and, when ``engaged``, its call.

        A host that was observed becomes ``seen``.

        Raises:
            NotLoggedIn, NotWaiting, PortTaken
        """

        def work(connection: Connection) -> Place:
            mine = devices.session(connection, device).device_id
            return endpoints.renew(connection, mine, engaged, seen, self.rules.lease)

        return self.database.write(work)

    def leave(self, device: bytes) -> None:
        """Take the device's endpoint back, if it has one.

        Raises:
            NotLoggedIn
        """

        def work(connection: Connection) -> None:
            endpoints.remove(connection, devices.session(connection, device).device_id)

        self.database.write(work)

    # Calls.

    def claim(self, device: bytes, name: str, request_id: bytes) -> Claim:
        """Claim an endpoint at which the user ``name`` waits.

        Raises:
            NotLoggedIn, SelfCall, UnknownUser, TooManyClaims, Offline, Engaged
        """

        def work(connection: Connection) -> Claim:
            caller = devices.session(connection, device)
            rules = self.rules
            return calls.claim(
                connection, caller, name, request_id, rules.claim, rules.claim_penalty
            )

        return self.database.write(work)

    def resume(self, device: bytes, name: str) -> Claim:
        """Return where the user ``name`` is with whom the device is in a vetted call.

        Raises:
            NotLoggedIn, SelfCall, UnknownUser, Offline, NoCall
        """
        return self.database.read(lambda c: calls.resume(c, devices.session(c, device), name))

    def vet(self, device: bytes, key: bytes) -> Caller:
        """Return who knocks at the device with this key.

        Raises:
            NotLoggedIn, Unvetted
        """

        def work(connection: Connection) -> Caller:
            return calls.vet(connection, devices.session(connection, device), key)

        return self.database.write(work)

    # The roll.

    def who(self, device: bytes, name: str) -> Entry:
        """Return what one user does.

        Raises:
            NotLoggedIn, UnknownUser
        """
        return roll.one(self.database, device, name)

    def page(self, device: bytes, after: str, limit: int) -> list[Entry]:
        """Return up to ``limit`` users by name, the first one after ``after``.

        Raises:
            NotLoggedIn
        """
        return self.database.read(lambda c: roll.page(c, device, after, limit))

    # What operators do.

    def devices(self, name: str) -> list[Device]:
        """Return the devices of a user, oldest first."""
        return self.database.read(lambda c: devices.of_user(c, name))

    def revoke(self, device: bytes) -> str | None:
        """Shut a device out for good; return its user's name, None if it is not known."""

        def work(connection: Connection) -> str | None:
            name = devices.revoke(connection, device)
            if name is not None:
                audit.note(connection, audit.REVOKED, name, "")
            return name

        return self.database.write(work)

    def audit(self) -> list[tuple[str, str, str]]:
        """Return the audit trail as (what, user name, address), oldest first."""
        return self.database.read(audit.entries)

    def sweep(self) -> None:
        """Delete what expired long ago."""

        def work(connection: Connection) -> None:
            endpoints.expire(connection, _KEEP_EXPIRED_S)
            throttle.expire(connection, _KEEP_THROTTLE_S)
            audit.expire(connection, _KEEP_AUDIT_S)

        self.database.write(work)
