"""What a device holds without anybody's help: its history, its outbox, whom it refuses.

The local half of a peer. It needs no broker, no network and no key, and loads
nothing that these need: a look into the history starts at once.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from landline.checks import checked_name
from landline.errors import InvalidInput, NotLoggedIn
from landline.home import Home
from landline.journal import Journal, Pending, Record
from landline_protocol.invite import InvalidInvite, Invite

MANY_ITEMS = 20_000
"""How many texts and byes are made searchable in no time."""


def silent(_: object) -> None:
    """Tell nobody."""


class Archive:
    """What is kept in ``home`` for the user who last logged in there, at one broker.

    ``home`` is a directory (default: the platform's place for user data);
    ``broker`` is an invite (default: the one that is remembered); ``notice``
    takes lines that the user may want to read while waiting.

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
        keep_history: bool = True,
    ) -> None:
        self.home = Home(None if home is None else Path(home))
        self._broker = _invite(broker)
        self._notice = notice
        self._keep_history = keep_history

    @property
    def broker(self) -> Invite:
        """The broker of this device's user.

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

    def outbox(self, name: str | None = None) -> Iterator[Pending]:
        """Yield what waits to be delivered, to one user or to all, oldest first."""
        name = None if name is None else checked_name(name)
        with closing(self._journal_of(self._me())()) as journal:
            yield from journal.pending(name)

    def block(self, name: str) -> None:
        """Refuse a user's calls and deliveries from now on."""
        with closing(self._journal_of(self._me())()) as journal:
            journal.block(checked_name(name))

    def unblock(self, name: str) -> bool:
        """Let a user in again; return whether they were blocked."""
        with closing(self._journal_of(self._me())()) as journal:
            return journal.unblock(checked_name(name))

    def blocked(self) -> list[str]:
        """Return who is blocked, by name."""
        with closing(self._journal_of(self._me())()) as journal:
            return journal.blocked()

    def history(
        self, name: str | None = None, *, search: str | None = None, since: datetime | None = None
    ) -> Iterator[Record]:
        """Yield what was said, with one user or with all, oldest first.

        Every word of ``search`` must occur; the last one may end in ``*``.
        Needs no broker; it speaks of the user who last logged in here.

        Raises:
            NotLoggedIn: nobody has logged in here yet.
        """
        name = None if name is None else checked_name(name)
        with closing(self._journal_of(self._me())()) as journal:
            if search and journal.unsearchable() > MANY_ITEMS:
                self._notice("making new messages searchable, once; this takes a moment")
            yield from journal.history(name, search=search, since_ms=_ms(since))

    def forget(self, name: str | None = None, *, before: datetime | None = None) -> int:
        """Delete what was delivered and received, and return how many messages that were.

        What is not delivered yet stays.
        """
        name = None if name is None else checked_name(name)
        with closing(self._journal_of(self._me())()) as journal:
            return journal.forget(name, _ms(before))

    def _me(self) -> str:
        """Return who last logged in here."""
        me = self.home.remembered.name
        if me is None:
            raise NotLoggedIn("nobody is logged in here; log in first: landline login NAME")
        return me

    def _journal_of(self, me: str) -> Callable[[], Journal]:
        path = self.home.journal(me, self.broker)
        return lambda: Journal(path, keep_history=self._keep_history)


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)


def _invite(broker: str | Invite | None) -> Invite | None:
    if not isinstance(broker, str):
        return broker
    try:
        return Invite.parse(broker)
    except InvalidInvite as error:
        raise InvalidInput(
            f"this is no invite: {error}; copy the line that 'landline-broker serve' prints"
        ) from None
