"""Where a password comes from: a hidden prompt, stdin or the environment; never an argument."""

import os
import sys

import click

from landline.checks import checked_password
from landline.errors import InvalidInput

VARIABLE = "LANDLINE_PASSWORD"
_MOST = 4_096


def password_of(name: str, *, from_stdin: bool, new: bool) -> str:
    """Return the password of a user; a ``new`` one is asked for twice.

    Raises:
        InvalidInput: there is none, or nobody can have such a password.
    """
    if from_stdin:
        return checked_password(_from_stdin())
    if password := os.environ.get(VARIABLE):
        return checked_password(password)
    if not os.isatty(0):
        raise InvalidInput(
            f"no password: give --password-stdin and write it to stdin, set {VARIABLE}, or run"
            " this on a terminal"
        )
    return asked(name, new=new)


def asked(name: str, *, new: bool) -> str:
    """Ask for a password on the terminal; it is not shown."""
    while True:
        password = _fit(f"New password for {name}" if new else f"Password of {name}")
        if not new or _hidden("The same again") == password:
            return password
        click.echo("these were two different passwords; once more, please", err=True)


def _fit(prompt: str) -> str:
    """Ask until the answer can be a password at all."""
    while True:
        try:
            return checked_password(_hidden(prompt))
        except InvalidInput as error:
            click.echo(str(error), err=True)


def _hidden(prompt: str) -> str:
    answer: str = click.prompt(prompt, hide_input=True, err=True)
    return answer


def _from_stdin() -> str:
    line = sys.stdin.buffer.readline(_MOST).rstrip(b"\r\n")
    try:
        password = line.decode()
    except UnicodeDecodeError:
        raise InvalidInput("the password on stdin is not UTF-8") from None
    if not password:
        raise InvalidInput("there is no password on stdin; write it there as the first line")
    return password
