"""bob, whom alice calls in the demonstration: he accepts every call and repeats every line.

A process of his own with a home of his own, written against the public API.
Reads the broker's invite from stdin and prints ``waiting`` once he can be called.
"""

import secrets
import sys

from landline import Peer


def main(home: str) -> None:
    """Register, log in, and repeat what callers say until told to end."""
    invite = sys.stdin.readline().strip()
    password = secrets.token_urlsafe()
    with Peer(home, invite) as bob:
        bob.register("bob", password)
        bob.login("bob", password)
        with bob.wait() as waiting:
            print("waiting", flush=True)
            for call in waiting:
                with call.accept() as talk:
                    for message in talk.messages():
                        talk.send(message.text)


if __name__ == "__main__":
    main(sys.argv[1])
