"""A user in a process of its own, who can be killed: calls or waits, and says its stdin.

talker.py HOME wait
talker.py HOME call NAME
"""

from __future__ import annotations

import sys
import threading

from landline import Conversation, Message, Peer, SaidBye
from landline.errors import LandlineError


def say(talk: Conversation) -> None:
    for line in sys.stdin:
        talk.send(line.rstrip("\n"))
    talk.bye()


def talk_on(talk: Conversation) -> None:
    """Print what happens until the end."""
    print("talking", flush=True)
    threading.Thread(target=say, args=(talk,), daemon=True).start()
    for event in talk.events():
        if isinstance(event, Message):
            print(f"heard {event.number} {event.text}", flush=True)
        elif isinstance(event, SaidBye):
            print("bye", flush=True)
            talk.bye()
        else:
            print(event, flush=True)


def main() -> None:
    home, what, *name = sys.argv[1:]
    with Peer(home) as peer:
        if what == "call":
            talk_on(peer.call(name[0]))
            return
        with peer.wait() as waiting:
            print("waiting", flush=True)
            call = next(iter(waiting))
            print("resumed" if call.resumed else "called", flush=True)
            talk_on(call.accept())


try:
    main()
except LandlineError as failed:
    print("failed", failed, flush=True)
    sys.exit(failed.exit_status)
