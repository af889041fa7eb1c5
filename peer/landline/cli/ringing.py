"""The question whether to take a call, on a terminal, for as long as it rings."""

import os
import select
import sys
import termios
from typing import TYPE_CHECKING

import click

from landline.visible import visible

if TYPE_CHECKING:
    from landline.waiting import IncomingCall

_YES = frozenset({"", "y", "yes"})
_NO = frozenset({"n", "no"})
_LOOK_S = 0.1
"""How often to look whether the caller is still there, while somebody thinks it over."""


def asked(call: "IncomingCall") -> bool | None:
    """Ask whether to take a call; ``None`` if the caller went away before the answer.

    The end of input (Ctrl-D) means no.
    """
    # What was typed before it rang is no answer.
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    question = f"{visible(call.caller)} is calling — accept? [Y/n] "
    click.echo("\a" + question, nl=False, err=True)
    while (answer := _line_while_ringing(call)) is not None:
        word = answer.strip().lower()
        if not answer:
            click.echo(err=True)
        if word in _NO or not answer:
            return False
        if word in _YES:
            return True
        click.echo("y or n? " + question, nl=False, err=True)
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    click.echo("\r\x1b[K", nl=False, err=True)
    return None


def _line_while_ringing(call: "IncomingCall") -> str | None:
    """Return a line from the terminal, empty at the end of input; ``None`` if it rings no more."""
    while not call.ended:
        if select.select([0], [], [], _LOOK_S)[0]:
            return os.read(0, 4_096).decode(errors="replace")
    return None
