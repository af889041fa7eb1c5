"""What ``block`` and ``unblock`` do: whose calls and deliveries are refused."""

from typing import TYPE_CHECKING

import click

from landline.errors import InvalidInput
from landline.visible import visible

if TYPE_CHECKING:
    from landline.archive import Archive
    from landline.cli.output import Output


def block(held: "Archive", name: str, output: "Output") -> None:
    """Refuse a user's calls and deliveries from now on.

    Raises:
        InvalidInput: it is the user of this device.
    """
    if name == held.home.remembered.name:
        raise InvalidInput("you cannot block yourself; name somebody else")
    held.block(name)
    line = f"{visible(name)} is blocked: their calls and deliveries are refused"
    output.tell("blocked", line, name=name)


def unblock(held: "Archive", name: str, output: "Output") -> None:
    """Let a user's calls and deliveries in again."""
    was = held.unblock(name)
    line = "is no longer blocked" if was else "was not blocked"
    output.tell("unblocked", f"{visible(name)} {line}", name=name)


def listing(held: "Archive", output: "Output") -> None:
    """Print who is blocked."""
    names = held.blocked()
    for name in names:
        if output.json:
            output.put({"name": name})
        else:
            click.echo(visible(name))
    if not names and not output.json:
        click.echo("nobody is blocked", err=True)
