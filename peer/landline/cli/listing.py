"""What ``who`` and ``history`` print. Plain text: no table library is needed."""

from itertools import chain
from typing import TYPE_CHECKING

import click

from landline.cli.output import Output, coloured, iso, local
from landline.cli.paging import show
from landline.visible import visible

if TYPE_CHECKING:
    from datetime import datetime

    from landline.archive import Archive
    from landline.journal import Record
    from landline.peer import Peer

_COLOURS = {"waiting": "green", "engaged": "yellow"}


def roll(peer: "Peer", name: str | None, output: Output) -> None:
    """Print one user, or all of them, and what they do."""
    users = peer.who(name)
    if output.json:
        for user in users:
            output.put({"name": user.name, "state": user.state})
        return
    me = peer.home.remembered.name
    colour = coloured()
    width = max((len(visible(user.name)) for user in users), default=0)
    for user in users:
        state = visible(user.state)
        mark = "  (you)" if user.name == me else ""
        shown = click.style(state, _COLOURS.get(state)) if colour else state
        click.echo(f"{visible(user.name):{width}}  {shown}{mark}")


def history(
    held: "Archive",
    name: str | None,
    output: Output,
    *,
    search: str | None = None,
    since: "datetime | None" = None,
    paged: bool = True,
) -> None:
    """Print what was said to and by a user, or everybody, as it was said here or arrived."""
    me = held.home.remembered.name or ""
    records = held.history(name, search=search, since=since)
    if output.json:
        for record in records:
            output.put(entry(me, record))
        return
    first = next(records, None)
    if first is None:
        click.echo(_nothing(name, narrowed=bool(search or since)), err=True)
        return
    show((_line(me, record, to=name is None) for record in chain([first], records)), paged=paged)


def entry(me: str, record: "Record") -> dict[str, object]:
    """Return a message of the history as the members of a JSON object."""
    speaker, listener = _ends(me, record)
    return {
        "from": speaker,
        "to": listener,
        "text": record.text,
        "number": record.number,
        "at": iso(record.at_ms),
        "delivered": record.delivered,
    }


def _line(me: str, record: "Record", *, to: bool) -> str:
    at = local(record.at_ms, "%Y-%m-%d %H:%M:%S")
    speaker, listener = _ends(me, record)
    who = f"{visible(speaker)} to {visible(listener)}" if to else visible(speaker)
    return f"{at}  {who}: {visible(record.text)}{_mark(record)}"


def _mark(record: "Record") -> str:
    """Return how far a message has come: what was heard has arrived anyway."""
    if not record.mine:
        return ""
    if record.delivered:
        return " ✓"
    return "  (not delivered yet)"


def _ends(me: str, record: "Record") -> tuple[str, str]:
    """Return who said it, and to whom."""
    return (me, record.other) if record.mine else (record.other, me)


def _nothing(name: str | None, *, narrowed: bool) -> str:
    if narrowed:
        return "nothing in the history here is like that"
    between = "" if name is None else f" between you and {visible(name)}"
    return f"there is nothing here{between}"
