"""What ``block`` and ``unblock`` do: whose calls and deliveries are refused."""

from typing import TYPE_CHECKING

import click

from landline.visible import visible

if TYPE_CHECKING:
    from landline.cli.output import Output
    from landline.peer import Peer


def block(peer: "Peer", name: str, output: "Output") -> None:
    """Refuse a user's calls and deliveries from now on."""
    peer.block(name)
    line = f"{visible(name)} is blocked: their calls and deliveries are refused"
    output.tell("blocked", line, name=name)


def unblock(peer: "Peer", name: str, output: "Output") -> None:
    """Let a user's calls and deliveries in again."""
    was = peer.unblock(name)
    line = "is no longer blocked" if was else "was not blocked"
    output.tell("unblocked", f"{visible(name)} {line}", name=name)


def listing(peer: "Peer", output: "Output") -> None:
    """Print who is blocked."""
    names = peer.blocked()
    for name in names:
        if output.json:
            output.put({"name": name})
        else:
            click.echo(visible(name))
    if not names and not output.json:
        click.echo("nobody is blocked", err=True)
