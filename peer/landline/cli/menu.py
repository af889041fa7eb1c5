"""The menu that bare ``landline`` shows on a terminal.

It offers what can be done now, does it, shows what went wrong in one line,
and comes again. What it does are the commands' own functions.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import click

from landline import __version__
from landline.checks import checked_name
from landline.cli import account, listing, talking
from landline.cli.ending import Interrupted
from landline.cli.output import loud
from landline.cli.passwords import asked
from landline.errors import BrokerUnreachable, InvalidInput, LandlineError
from landline.visible import visible

if TYPE_CHECKING:
    from landline.cli.options import Settings
    from landline.cli.output import Output
    from landline.peer import Peer


class Entry(NamedTuple):
    """One thing to choose, by its place, its key or its words."""

    key: str
    words: str
    act: Callable[["Peer"], object]


class Exit(Exception):
    """The user has had enough."""


class Menu:
    """Asks what to do until the user exits."""

    def __init__(self, settings: "Settings", output: "Output") -> None:
        self._settings = settings
        self._output = output
        self._strangers = (
            Entry("l", "log in", self._login),
            Entry("r", "register", self._register),
            Entry("x", "exit", self._exit),
        )
        self._members = (
            Entry("w", "wait for callers", self._wait),
            Entry("c", "call somebody", self._call),
            Entry("u", "users: who is there", self._who),
            Entry("h", "history", self._history),
            Entry("o", "log out", self._logout),
            Entry("x", "exit", self._exit),
        )

    def run(self) -> None:
        """Show the menu until the user exits."""
        click.echo(f"Landline {__version__}")
        self._meet_broker()
        with suppress(Exit):
            while True:
                self._turn()

    def _turn(self) -> None:
        me = self._who_am_i()
        entries = self._strangers if me is None else self._members
        click.echo()
        click.echo("you are not logged in" if me is None else f"you are {visible(me)}")
        for place, entry in enumerate(entries, 1):
            click.echo(f"  {place}  {entry.words} ({entry.key})")
        entry = self._chosen(entries)
        with self._settings.peer(self._output) as peer:
            self._attempt(lambda: entry.act(peer))

    def _chosen(self, entries: tuple[Entry, ...]) -> Entry:
        while True:
            try:
                answer = click.prompt("your choice", prompt_suffix=": ").strip().lower()
            except click.Abort:
                click.echo()
                raise Exit from None
            for place, entry in enumerate(entries, 1):
                if answer in {str(place), entry.key, entry.words}:
                    return entry
            click.echo(f"choose a number from 1 to {len(entries)}, or a letter")

    def _attempt(self, act: Callable[[], object]) -> bool:
        """Do something; say what went wrong, if so."""
        try:
            act()
        except LandlineError as error:
            click.echo(f"landline: {loud(error)}", err=True)
            return False
        except (click.Abort, Interrupted, KeyboardInterrupt):
            click.echo()
            return False
        return True

    def _meet_broker(self) -> None:
        """Ask for an invite until there is a broker to speak to."""
        while True:
            try:
                with self._settings.peer(self._output) as peer:
                    known = peer.broker
            except InvalidInput as error:
                click.echo(visible(str(error)), err=True)
                self._settings.given["broker"] = click.prompt("invite").strip()
                continue
            click.echo(f"broker: {visible(known.address)}")
            return

    def _who_am_i(self) -> str | None:
        """Return who is logged in here; as last known, if the broker does not answer."""
        with self._settings.peer(self._output) as peer:
            try:
                found = peer.account()
            except BrokerUnreachable as error:
                click.echo(f"landline: {visible(str(error))}", err=True)
                return peer.home.remembered.name
            return None if found is None else found.name

    # -- what can be chosen --------------------------------------------------------

    def _login(self, peer: "Peer") -> None:
        name = _asked_name("your name")
        account.login(peer, name, asked(name, new=False), self._output)

    def _register(self, peer: "Peer") -> None:
        name = _asked_name("a name for you")
        account.register(peer, name, asked(name, new=True), self._output)

    def _logout(self, peer: "Peer") -> None:
        account.logout(peer, self._output)

    def _wait(self, peer: "Peer") -> None:
        talking.wait(peer, self._output, accept=False, once=False)

    def _call(self, peer: "Peer") -> None:
        talking.call(peer, _asked_name("whom"), self._output)

    def _who(self, peer: "Peer") -> None:
        listing.roll(peer, None, self._output)

    def _history(self, peer: "Peer") -> None:
        listing.history(peer, _asked_name("with whom"), self._output)

    def _exit(self, _: "Peer") -> None:
        raise Exit


def _asked_name(question: str) -> str:
    answer: str = click.prompt(question)
    return checked_name(answer.strip())
