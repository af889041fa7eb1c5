"""What ``who`` and ``history`` print. Plain text: no table library is needed."""

import sys
from typing import TYPE_CHECKING

import click

from landline.cli.output import Output, coloured, iso, local
from landline.visible import visible

if TYPE_CHECKING:
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


def history(peer: "Peer", name: str, output: Output) -> None:
    """Print what was said to and by a user, oldest first."""
    me = peer.home.remembered.name or ""
    silent = True
    for record in peer.history(name):
        silent = False
        if output.json:
            output.put(_object(me, record))
        else:
            sys.stdout.write(f"{_line(me, record)}\n")
    if silent and not output.json:
        click.echo(f"nothing has been said between you and {visible(name)} here", err=True)


def _object(me: str, record: "Record") -> dict[str, object]:
    speaker, listener = (me, record.other) if record.mine else (record.other, me)
    return {
        "from": speaker,
        "to": listener,
        "text": record.text,
        "number": record.number,
        "at": iso(record.at_ms),
        "delivered": record.delivered,
    }


def _line(me: str, record: "Record") -> str:
    at = local(record.at_ms, "%Y-%m-%d %H:%M:%S")
    mark = "" if record.delivered else "  (not delivered)"
    return f"{at}  {visible(me if record.mine else record.other)}: {visible(record.text)}{mark}"
