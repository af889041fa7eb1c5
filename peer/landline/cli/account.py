"""Registering, logging in and out: what is asked of the broker, and what is told of it."""

from typing import TYPE_CHECKING

from landline.errors import InvalidInput, NameTaken
from landline.visible import visible

if TYPE_CHECKING:
    from landline.cli.output import Output
    from landline.peer import Peer
    from landline_protocol.messages import Account


def register(peer: "Peer", name: str, password: str, output: "Output") -> None:
    """Make a user and log in on this device.

    Raises:
        NameTaken: another user has this name.
    """
    try:
        account = peer.register(name, password)
    except NameTaken:
        shown = visible(name)
        raise NameTaken(
            f"the name {shown} is taken; choose another, or if it is yours: landline login {shown}"
        ) from None
    _tell("registered", f"{visible(account.name)} is registered", account, output)
    account = peer.login(account.name, password)
    output.tell("logged-in", "logged in on this device", name=account.name, port=account.port)


def login(peer: "Peer", name: str, password: str, output: "Output") -> None:
    """Log in on this device."""
    account = peer.login(name, password)
    _tell("logged-in", f"{visible(account.name)} is logged in on this device", account, output)


def logout(peer: "Peer", output: "Output") -> None:
    """Log out on this device, if anybody is logged in."""
    if _logged_in(peer):
        peer.logout()
        output.tell("logged-out", "logged out on this device")
    else:
        output.tell("logged-out", "nobody is logged in here")


def _logged_in(peer: "Peer") -> bool:
    try:
        _ = peer.broker
    except InvalidInput:
        return False  # without a broker nobody can be
    return peer.account() is not None or peer.home.remembered.name is not None


def _tell(event: str, line: str, account: "Account", output: "Output") -> None:
    port = f"your port is {account.port}" if account.port else "any free port will do for you"
    output.tell(event, f"{line}; {port}", name=account.name, port=account.port)
