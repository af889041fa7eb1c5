"""A peer: one home directory, one device key, one broker.

The front door of the public API: register, log in, ask who is there, wait for
calls, call, send. Each of these is a few requests and a hand-over; the work is
done in the modules that it names, and what needs no network in ``archive``.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from traceback import clear_frames
from types import TracebackType
from typing import Self

import zmq

from landline.archive import Archive, silent
from landline.calling import Caller
from landline.checks import checked_name, checked_password
from landline.client import BrokerClient
from landline.conversation import Conversation
from landline.courier import Courier
from landline.device import device_key
from landline.ends import Engagements
from landline.errors import (
    BrokerUnreachable,
    HomeInUse,
    InvalidInput,
    JournalUnusable,
    LandlineError,
    NotLoggedIn,
    RecordsDiffer,
    WrongBroker,
)
from landline.events import Message, Progress
from landline.gate import Gate
from landline.home import Remembered
from landline.journal import Journal
from landline.waiting import Waiting
from landline_protocol.conversation import UnfitText, check_text
from landline_protocol.invite import Invite
from landline_protocol.limits import REDIAL_S
from landline_protocol.messages import (
    Account,
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

LUMP_TEXTS = 512
LUMP_CHARACTERS = 1_048_576
"""How much is put into the outbox at a time."""


@dataclass(frozen=True)
class Sending:
    """What came of an attempt to deliver: ``why`` says why some texts are still kept."""

    other: str
    kept: int
    delivered: int
    why: str


class Peer(Archive):
    """This device, as the user of ``home`` at one broker.

    ``home`` is a directory (default: the platform's place for user data);
    ``broker`` is an invite, remembered after the first success; ``notice``
    takes lines that the user may want to read while waiting. A conversation
    whose connection is lost seeks another for ``redial_s`` seconds. Unless
    ``keep_history``, messages are kept only until they are delivered, or read.
    One process at a time talks from a home. Close it, or use it in a ``with`` block.

    Raises:
        InvalidInput: the invite is malformed.
        HomeUnusable: the home cannot be read or written.
    """

    def __init__(
        self,
        home: str | os.PathLike[str] | None = None,
        broker: str | Invite | None = None,
        *,
        notice: Callable[[str], None] = silent,
        redial_s: float = REDIAL_S,
        keep_history: bool = True,
    ) -> None:
        super().__init__(home, broker, notice=notice, keep_history=keep_history)
        self._redial_s = redial_s
        self._engagements = Engagements()
        self._resources = ExitStack()
        self._locked = False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._resources.callback(self._context.term)

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

    def wait(self, host: str = "", port: int = 0) -> Waiting:
        """Return a context manager in which this device waits for calls.

        Iterate over it to get the callers. ``host`` is the address that callers
        are told when it is not the one that the broker sees, ``port`` the port
        when it is not the one that this device listens on: a router passes it on.

        Raises:
            NotLoggedIn: this device is not logged in.
            HomeInUse: another process talks from this home.
            JournalUnusable: no message could be kept.
        """
        self._lock()
        with self._client() as client:
            account = _logged_in(client)
            ring_s = client.hello().policy.ring
        key = device_key(self.home)
        journal = self._journal_of(account.name)
        with closing(journal()) as opened:
            opened.sweep()
        courier = Courier(self._caller(account.name), self._new_client, journal, self._notice)
        gate = Gate(self._context, self.broker, key, host, self._notice, self._blocked_by(journal))
        return Waiting(
            self._context,
            key,
            account,
            journal,
            self._engagements,
            gate,
            courier,
            self._notice,
            ring_s,
            self._redial_s,
            port,
        )

    def call(self, name: str, progress: Callable[[Progress], None] = silent) -> Conversation:
        """Call a waiting user, and return when the call is accepted.

        ``progress`` is told what happens on the way. What the outbox holds for
        them is said first. A conversation with them that this program was
        killed in goes on, if they still hold it.

        Raises:
            Unavailable: unknown, offline, engaged, or nobody answers.
            Declined: the other does not take the call.
            Refused: the other's program does not let this device in.
            NotLoggedIn: this device is not logged in.
            JournalUnusable: no message could be kept.
        """
        name = checked_name(name)
        self._lock()
        me = self.home.remembered.name
        if me is not None and (talk := self._caller(me).resume(name, progress)) is not None:
            return talk
        with self._client() as client:
            account = _logged_in(client)
            return self._caller(account.name).call(name, client, progress, ring=True)

    def send(
        self, name: str, texts: Iterable[str], *, hear: Callable[[Message], None] = silent
    ) -> Sending:
        """Keep texts for a user, each at most 65,536 octets, and deliver them if they wait.

        Every text is on the disk before anything is tried. It needs no broker
        if this device was logged in before. ``hear`` is told what they say meanwhile.

        Raises:
            InvalidInput: a text is too long or not Unicode; those before it are kept.
            UnknownUser: no user has this name; nothing is kept.
            NotLoggedIn: this device is not logged in.
            JournalUnusable: it cannot be kept.
            RecordsDiffer: they do not hold what was said.
        """
        name = checked_name(name)
        me, why = self._checked_addressee(name)
        with closing(self._journal_of(me)()) as journal:
            for lump in _lumps(texts):
                journal.post(name, lump)
        return self._deliver(me, name, why, hear)

    def flush(
        self, name: str | None = None, *, hear: Callable[[Message], None] = silent
    ) -> list[Sending]:
        """Try to deliver what waits, to one user or to all, and return what came of it.

        ``hear`` is told what they say meanwhile.

        Raises:
            RecordsDiffer: somebody does not hold what was said.
        """
        me = self._me()
        with closing(self._journal_of(me)()) as journal:
            names = journal.addressees()
        if name is not None:
            names = [each for each in names if each == checked_name(name)]
        return [self._deliver(me, each, "", hear) for each in names]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What a signal has interrupted may hold a socket that it had no time to
        # put where it would be closed; the context's end would wait for it.
        clear_frames(trace)
        self.close()

    def _lock(self) -> None:
        if not self._locked:
            self._resources.enter_context(self.home.locked())
            self._locked = True

    @contextmanager
    def _client(self) -> Iterator[BrokerClient]:
        """Hold a connection to the broker, which has said hello."""
        with closing(BrokerClient(self._context, self.broker, device_key(self.home))) as client:
            client.hello()
            remembered = self.home.remembered
            if remembered.broker != str(self.broker):
                self.home.remember(Remembered(str(self.broker), None))
            yield client

    def _new_client(self) -> BrokerClient:
        return BrokerClient(self._context, self.broker, device_key(self.home))

    def _blocked_by(self, journal: Callable[[], Journal]) -> Callable[[str], bool]:
        def blocked(name: str) -> bool:
            with closing(journal()) as opened:
                return opened.is_blocked(name)

        return blocked

    def _caller(self, me: str) -> Caller:
        return Caller(
            self._context,
            self.broker,
            device_key(self.home),
            me,
            self._journal_of(me),
            self._engagements,
            self._redial_s,
        )

    def _checked_addressee(self, name: str) -> tuple[str, str]:
        """Return who sends, and why nothing can be delivered now, if so."""
        try:
            with self._client() as client:
                me = _logged_in(client).name
                client.ask(Who(name=name), Roll)
                why = ""
        except BrokerUnreachable as error:
            me, why = self._me(), str(error)
        if name == me:
            raise InvalidInput("you cannot send messages to yourself")
        return me, why

    def _deliver(self, me: str, name: str, why: str, hear: Callable[[Message], None]) -> Sending:
        """Try to deliver what waits for a user, unless it is known ``why`` that is vain."""
        journal = self._journal_of(me)
        waiting = _count(journal, name)
        if not waiting:
            return Sending(name, 0, 0, "")
        try:
            if not why:
                self._lock()
                with closing(self._new_client()) as client:
                    self._caller(me).deliver(name, client, hear)
        except HomeInUse:
            why = "another landline is at work from this home; if it waits, it delivers them"
        except (JournalUnusable, RecordsDiffer):
            raise
        except LandlineError as error:
            why = str(error)
        kept = _count(journal, name)
        return Sending(name, kept, max(0, waiting - kept), why if kept else "")


def _count(journal: Callable[[], Journal], name: str) -> int:
    with closing(journal()) as opened:
        return sum(1 for _ in opened.pending(name))


def _lumps(texts: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    """Yield texts with their times, as many at once as one write should take.

    Raises:
        InvalidInput: a text is too long or not Unicode; those before it have been yielded.
    """
    lump: list[tuple[int, str]] = []
    size = 0
    try:
        for text in texts:
            check_text(text)
            lump.append((time.time_ns() // 1_000_000, text))
            size += len(text)
            if len(lump) == LUMP_TEXTS or size > LUMP_CHARACTERS:
                yield lump
                lump, size = [], 0
    except UnfitText as error:
        yield lump
        raise InvalidInput(f"{error}; it was not kept") from None
    except BaseException:
        # Whoever is interrupted while writing has written what is there.
        yield lump
        raise
    yield lump


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
