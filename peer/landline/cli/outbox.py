"""What ``send`` and ``outbox`` do: texts for somebody who may not be there."""

import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

import click

from landline.cli import paging, pipe
from landline.cli.bell import Bell
from landline.cli.output import Output, counted, iso
from landline.cli.stdin import Flaw, Input
from landline.cli.when import lasted
from landline.errors import InvalidInput
from landline.visible import visible

if TYPE_CHECKING:
    from landline.archive import Archive
    from landline.events import Message
    from landline.journal import Pending
    from landline.peer import Peer, Sending

STDIN = "-"


def send(peer: "Peer", name: str, text: str, output: Output) -> None:
    """Keep a text, or the lines of stdin, for somebody, and deliver what can be delivered.

    Raises:
        InvalidInput: it is done, but some lines of stdin could not be sent.
    """
    with output.errors_told():
        if text != STDIN:
            _tell(peer.send(name, [text], hear=_shown_by(output)), name, output)
            return
        said = Input()
        with Bell() as bell:
            texts = _texts(said, bell, output)
            _tell(peer.send(name, texts, hear=_shown_by(output)), name, output)
        if said.flawed:
            raise InvalidInput(
                f"{counted(said.flawed, 'line')} of stdin could not be sent, as said above;"
                " everything else is delivered or kept"
            )


def show(held: "Archive", name: str | None, output: Output, *, paged: bool) -> None:
    """Print what waits to be delivered, oldest first."""
    pending = held.outbox(name)
    if output.json:
        for each in pending:
            output.put({"to": each.other, "text": each.text, "at": iso(each.at_ms)})
        return
    first = next(pending, None)
    if first is None:
        click.echo(_nothing(name), err=True)
        return
    now_ms = time.time_ns() // 1_000_000
    paging.show((_line(each, now_ms) for each in chain([first], pending)), paged=paged)


def flush(peer: "Peer", name: str | None, output: Output) -> None:
    """Try to deliver what waits, and tell for each user what came of it."""
    with output.errors_told():
        sendings = peer.flush(name, hear=_shown_by(output))
        for sending in sendings:
            _tell(sending, sending.other, output)
        if not sendings and not output.json:
            click.echo(_nothing(name), err=True)


def _texts(said: Input, bell: Bell, output: Output) -> Iterator[str]:
    """Yield the lines of stdin that can be sent, as they are asked for."""
    while (lines := said.next(bell)) is not None:
        if isinstance(lines, Flaw):
            output.unsent(lines)
        else:
            yield from lines


def _shown_by(output: Output) -> Callable[["Message"], None]:
    """Return what shows a message that comes while others are delivered."""
    return lambda message: pipe.tell([message], output)


def _tell(sending: "Sending", name: str, output: Output) -> None:
    output.tell(
        "sent",
        _outcome(sending, visible(name)),
        to=name,
        delivered=sending.delivered,
        kept=sending.kept,
        why=sending.why,
    )


def _outcome(sending: "Sending", name: str) -> str:
    delivered, kept = sending.delivered, sending.kept
    parts = []
    if delivered:
        many = f"{counted(delivered, 'message')} " if delivered + kept > 1 else ""
        parts.append(f"{many}delivered to {name}")
    if kept:
        many = f"{counted(kept, 'message')} " if delivered + kept > 1 else ""
        pronoun = "it is" if kept == 1 else "they are"
        # The error's advice is for somebody who must do something now.
        why = visible(sending.why.partition(";")[0])
        because = f": {why}" if why else ""
        parts.append(f"{many}kept for {name}{because}")
        parts.append(f"{pronoun} delivered when you two next meet")
    return "; ".join(parts) or f"there was nothing to deliver to {name}"


def _line(each: "Pending", now_ms: int) -> str:
    since = lasted(each.at_ms, now_ms)
    return f"to {visible(each.other)}, for {since}: {visible(each.text)}"


def _nothing(name: str | None) -> str:
    whom = "" if name is None else f" to {visible(name)}"
    return f"nothing waits to be delivered{whom}"
