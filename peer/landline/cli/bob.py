"""bob, whom alice calls in the demonstration: he accepts every call and repeats every line.

A process of his own with a home of his own, written against the public API.
Reads the broker's invite from stdin and prints ``waiting`` and his port once
he can be called. With a port for his callers to be told, he says numbers
instead, and prints what he counts as JSON.
"""

import secrets
import sys
from typing import TYPE_CHECKING

import msgspec

from landline import Peer
from landline.cli.numbers import Counts, Exchange
from landline.deadline import Deadline

if TYPE_CHECKING:
    from landline.conversation import Conversation


def main(home: str, port: int = 0) -> None:
    """Register, log in, and answer callers until told to end."""
    invite = sys.stdin.readline().strip()
    password = secrets.token_urlsafe()
    with Peer(home, invite) as bob:
        bob.register("bob", password)
        bob.login("bob", password)
        with bob.wait(port=port) as waiting:
            print("waiting", waiting.port, flush=True)
            for call in waiting:
                with call.accept() as talk:
                    (count if port else repeat)(talk)


def repeat(talk: "Conversation") -> None:
    """Say what is said."""
    for message in talk.messages():
        talk.send(message.text)


def count(talk: "Conversation") -> None:
    """Say numbers, and count those that come."""
    exchange = Exchange(talk)
    exchange.hold(Deadline(None), show)
    show(exchange.counts)


def show(counts: Counts) -> None:
    """Print what was counted."""
    print(msgspec.json.encode(counts).decode(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
