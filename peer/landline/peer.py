"""A peer: one home directory, one device key, one broker.

The front door of the public API: register, log in, ask who is there, wait for
calls, call. Each of these is a few requests and a hand-over; the work is done
in the modules that it names.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import zmq

from landline.checks import checked_name, checked_password
from landline.client import BrokerClient
from landline.conversation import Conversation
from landline.ends import Dial
from landline.errors import ConversationBroken, InvalidInput, NotLoggedIn, WrongBroker
from landline.events import Connected, EndpointReceived, Progress, Ringing
from landline.gate import Gate
from landline.home import Home, Remembered
from landline.journal import Journal, Record
from landline.line import Opened, Over, Rang
from landline.link import Link
from landline.waiting import Waiting
from landline_protocol import VERSION
from landline_protocol.frames import Hello
from landline_protocol.invite import InvalidInvite, Invite
from landline_protocol.limits import CONVERSATION_ID_OCTETS, WINDOW
from landline_protocol.messages import (
    Account,
    Call,
    Claimed,
    Done,
    LoggedIn,
    Login,
    Logout,
    Presence,
    Register,
    Registered,
    Roll,
    Who,
)


def _silent(_: object) -> None:
    """Tell nobody."""


class Peer:
    """This device, as the user of ``home`` at one broker.

    ``home`` is a directory (default: the platform's place for user data);
    ``broker`` is an invite, remembered after the first success; ``notice``
    takes lines that the user may want to read while waiting. One process at a
    time talks from a home. Close it, or use it in a ``with`` block.

    Raises:
        InvalidInput: the invite is malformed.
        HomeUnusable: the home cannot be read or written.
    """

    def __init__(
        self,
        home: str | os.PathLike[str] | None = None,
        broker: str | Invite | None = None,
        *,
        notice: Callable[[str], None] = _silent,
    ) -> None:
        self.home = Home(None if home is None else Path(home))
        self._broker = _invite(broker)
        self._notice = notice
        self._resources = ExitStack()
        self._locked = False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._resources.callback(self._context.term)

    @property
    def broker(self) -> Invite:
        """The broker of this peer.

        Raises:
            InvalidInput: none was given, and none is remembered.
        """
        if self._broker is None:
            self._broker = _invite(self.home.remembered.broker)
        if self._broker is None:
            raise InvalidInput(
                "no broker is known yet; give --broker INVITE, the line that"
                " 'landline-broker serve' prints"
            )
        return self._broker

    def close(self) -> None:
        """End everything of this peer. May be called again."""
        self._resources.close()

    def account(self) -> Account | None:
        """Ask the broker who is logged in on this device."""
        with self._client() as client:
            return client.hello().account

    def register(self, name: str, password: str) -> Account:
        """Make a new user; it is not logged in yet.

        Raises:
            InvalidInput: the name or the password breaks the rules.
            NameTaken: another user has this name.
            BrokerUnreachable: no broker answers.
        """
        request = Register(checked_name(name), checked_password(password))
        self._lock()
        with self._client() as client:
            return client.ask(request, Registered).account

    def login(self, name: str, password: str) -> Account:
        """Make this device the user's, for 30 days or until logout.

        Raises:
            InvalidInput: the name or the password breaks the rules.
            Denied: the name or the password is wrong.
            Throttled: too many attempts.
            BrokerUnreachable: no broker answers.
        """
        request = Login(checked_name(name), checked_password(password))
        self._lock()
        with self._client() as client:
            account = client.ask(request, LoggedIn).account
        self.home.remember(Remembered(str(self.broker), account.name))
        return account

    def logout(self) -> None:
        """Unbind this device from its user."""
        self._lock()
        with self._client() as client:
            client.ask(Logout(), Done)
        self.home.remember(Remembered(str(self.broker), None))

    def who(self, name: str | None = None) -> list[Presence]:
        """Return one user, or all of them by name, and what they do.

        Raises:
            UnknownUser: no user has this name.
            NotLoggedIn: this device is not logged in.
        """
        with self._client() as client:
            if name is not None:
                return client.ask(Who(name=checked_name(name)), Roll).users
            return list(_all_users(client))

    def wait(self, host: str = "") -> Waiting:
        """Return a context manager in which this device waits for calls.

        Iterate over it to get the callers. ``host`` is the address to publish
        when it is not the one that the broker sees.

        Raises:
            NotLoggedIn: this device is not logged in.
            HomeInUse: another process talks from this home.
        """
        self._lock()
        with self._client() as client:
            account = _logged_in(client)
            ring_s = client.hello().policy.ring
        key = self.home.device_key()
        gate = Gate(self._context, self.broker, key, host, self._notice)
        journal = self.home.journal(account.name, self.broker)
        Journal(journal).close()
        return Waiting(self._context, key, account, journal, gate, self._notice, ring_s)

    def call(self, name: str, progress: Callable[[Progress], None] = _silent) -> Conversation:
        """Call a waiting user, and return when the call is accepted.

        ``progress`` is told what happens on the way.

        Raises:
            Unavailable: unknown, offline, engaged, or nobody answers.
            Declined: the other does not take the call.
            Refused: the other's program does not let this device in.
            NotLoggedIn: this device is not logged in.
        """
        name = checked_name(name)
        self._lock()
        with ExitStack() as stack:
            with self._client() as client:
                account = _logged_in(client)
                # No call is made that could not be kept.
                journal = Journal(self.home.journal(account.name, self.broker))
                stack.callback(journal.close)
                claimed = client.ask(Call(name), Claimed)
                ring_s = client.hello().policy.ring
            dial = self._dial(account.name, name, claimed, ring_s)
            key = self.home.device_key()
            progress(EndpointReceived(name, dial.host, dial.port))
            stack.pop_all()  # the journal is the link's now
        return _answered(Link(self._context, key, dial, journal), account.name, name, progress)

    def history(self, name: str) -> Iterator[Record]:
        """Yield every message exchanged with ``name``, oldest first.

        Needs no broker; it speaks of the user who last logged in here.

        Raises:
            NotLoggedIn: nobody has logged in here yet.
        """
        name = checked_name(name)
        me = self.home.remembered.name
        if me is None:
            raise NotLoggedIn("nobody is logged in here; log in first: landline login NAME")
        with closing(Journal(self.home.journal(me, self.broker))) as journal:
            yield from journal.history(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _lock(self) -> None:
        if not self._locked:
            self._resources.enter_context(self.home.locked())
            self._locked = True

    @contextmanager
    def _client(self) -> Iterator[BrokerClient]:
        """Hold a connection to the broker, which has said hello."""
        with closing(BrokerClient(self._context, self.broker, self.home.device_key())) as client:
            client.hello()
            remembered = self.home.remembered
            if remembered.broker != str(self.broker):
                self.home.remember(Remembered(str(self.broker), None))
            yield client

    def _dial(self, me: str, name: str, claimed: Claimed, ring_s: float) -> Dial:
        hello = Hello(
            versions=(VERSION, VERSION),
            conversation=os.urandom(CONVERSATION_ID_OCTETS),
            caller=me,
            callee=name,
            resume=1,
            window=WINDOW,
        )
        host = claimed.host or self.broker.host
        return Dial(host, claimed.port, claimed.key, hello, ring_s)


def _answered(link: Link, me: str, name: str, progress: Callable[[Progress], None]) -> Conversation:
    """Wait until the callee has answered, and return the conversation."""
    try:
        while True:
            notice = link.next()
            if isinstance(notice, Opened):
                return Conversation(link, me, name)
            if isinstance(notice, Connected):
                progress(notice)
            elif isinstance(notice, Rang):
                progress(Ringing(name))
            elif isinstance(notice, Over):
                raise notice.error or ConversationBroken("the call was broken off")
    except BaseException:
        link.stop()
        raise


def _all_users(client: BrokerClient) -> Iterator[Presence]:
    after = ""
    while True:
        roll = client.ask(Who(after=after), Roll)
        names = [after, *(user.name for user in roll.users)]
        if not all(name < later for name, later in pairwise(names)):
            # It could go round in a circle, and ``who`` would never end.
            raise WrongBroker(
                "what answers does not name users in their order, as a broker does; ask for a"
                " new invite"
            )
        yield from roll.users
        if not roll.more or not roll.users:
            return
        after = roll.users[-1].name


def _logged_in(client: BrokerClient) -> Account:
    account = client.hello().account
    if account is None:
        raise NotLoggedIn("log in first: landline login NAME")
    return account


def _invite(broker: str | Invite | None) -> Invite | None:
    if not isinstance(broker, str):
        return broker
    try:
        return Invite.parse(broker)
    except InvalidInvite as error:
        raise InvalidInput(
            f"this is no invite: {error}; copy the line that 'landline-broker serve' prints"
        ) from None
