"""Bob in a process that may open few files: waits, prints what he hears, and hogs when told to."""

from __future__ import annotations

import os
import resource
import sys
import threading

from landline import Peer
from landline.errors import LandlineError

LIMIT = 200


def hog() -> None:
    """Take all descriptors that are left or come free, and give them back when told to."""
    for line in sys.stdin:
        if line == "hog\n":
            enough = threading.Event()
            hogging = threading.Thread(target=_take, args=(enough,))
            hogging.start()
        else:
            enough.set()
            hogging.join()


def _take(enough: threading.Event) -> None:
    taken: list[int] = []
    told = False
    while not enough.is_set():
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            if not told:
                print("hogged", flush=True)
            told = True
    while taken:
        os.close(taken.pop())


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT // 2, LIMIT))
    with Peer(sys.argv[1], notice=lambda say: print(say, flush=True)) as bob, bob.wait() as waiting:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        print("limit", limit, "port", waiting.port, flush=True)
        threading.Thread(target=hog, daemon=True).start()
        for call in waiting:
            try:
                for message in call.accept().messages():
                    print("heard", message.text, flush=True)
            except LandlineError as error:
                print("broken", error, flush=True)


if __name__ == "__main__":
    main()
