"""What ``who`` and ``history`` print. Plain text: no table library is needed."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from landline.cli.output import Output, coloured, iso, local
from landline.visible import visible

if TYPE_CHECKING:
    from landline.journal import Record
    from landline_protocol.messages import Presence

_COLOURS = {"waiting": "green", "engaged": "yellow"}


def roll(users: list["Presence"], me: str | None, output: Output) -> None:
    """Print users and what they do."""
    if output.json:
        for user in users:
            output.put({"name": user.name, "state": user.state})
        return
    colour = coloured()
    width = max((len(visible(user.name)) for user in users), default=0)
    for user in users:
        state = visible(user.state)
        mark = "  (you)" if user.name == me else ""
        shown = click.style(state, _COLOURS.get(state)) if colour else state
        click.echo(f"{visible(user.name):{width}}  {shown}{mark}")


def history(me: str, records: Iterable["Record"], output: Output) -> int:
    """Print messages, oldest first, and return how many there are."""
    count = 0
    for record in records:
        count += 1
        if output.json:
            output.put(_object(me, record))
        else:
            sys.stdout.write(f"{_line(me, record)}\n")
    return count


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
