"""One end of a ZeroMQ pair without any encryption: the control of the capture.

Usage: python plain_pair.py hear PORT | python plain_pair.py say HOST:PORT

The one who hears prints "listening" and then each text; the other says what it reads
from its stdin.
"""

import sys

import zmq

DEADLINE_MS = 10_000


def main(role: str, place: str) -> None:
    """Hear, or say, until nothing more comes."""
    with zmq.Context() as context, context.socket(zmq.PAIR) as pair:
        pair.ipv6 = True
        pair.rcvtimeo = pair.linger = DEADLINE_MS
        if role == "hear":
            pair.bind(f"tcp://*:{place}")
            print("listening", flush=True)
            while text := pair.recv_string():
                print(text, flush=True)
        else:
            pair.connect(f"tcp://{place}")
            for line in sys.stdin:
                pair.send_string(line.rstrip("\n"))
            pair.send_string("")


if __name__ == "__main__":
    main(*sys.argv[1:])
