"""Bob in a process of his own: waits, or calls whom he is told to, and echoes."""

from __future__ import annotations

import sys

from landline import Conversation, Peer
from landline.errors import LandlineError


def echo(talk: Conversation) -> None:
    """Say again what the other says, until both have said bye."""
    print("talking", flush=True)
    try:
        with talk:
            for message in talk.messages():
                print("heard", message.text, flush=True)
                talk.send(message.text)
        print("ended", flush=True)
    except LandlineError as error:
        print("broken", error, flush=True)


def main() -> None:
    home, *callee = sys.argv[1:]
    with Peer(home) as bob:
        if callee:
            echo(bob.call(callee[0]))
            return
        with bob.wait() as waiting:
            print("waiting", flush=True)
            for call in waiting:
                echo(call.accept())


try:
    main()
except KeyboardInterrupt:
    sys.exit(130)
