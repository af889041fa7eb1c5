"""A relay that joins all ZeroMQ messages after the first to one that has no end.

That more parts follow stands outside of the encryption (ZMTP 3.1, RFC 37): a libzmq of
one's own would hold an unfinished message back, so the flag is set on the way.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GREETING = 64
MORE, LONG, COMMAND = 1, 2, 4


@contextmanager
def endless(port: int) -> Iterator[int]:
    """Pass one connection on to ``port`` of this machine, and yield where it is to come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = threading.Thread(target=_relay, args=(listener, port), name="endless")
        relay.start()
        yield int(listener.getsockname()[1])
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        relay.join()


def _relay(listener: socket.socket, port: int) -> None:
    with suppress(OSError):
        here, _ = listener.accept()
        with here, socket.create_connection(("127.0.0.1", port)) as there:
            back = threading.Thread(target=_back, args=(there, here), name="endless-back")
            back.start()
            with suppress(OSError, EOFError):
                _there(here, there)
            for each in (here, there):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            back.join()


def _back(there: socket.socket, here: socket.socket) -> None:
    with suppress(OSError):
        while octets := there.recv(65_536):
            here.sendall(octets)
        here.shutdown(socket.SHUT_RDWR)


def _there(here: socket.socket, there: socket.socket) -> None:
    # The greeting comes in pieces, each an answer to a piece of the other's.
    left = GREETING
    while left:
        octets = _some(here, left)
        left -= len(octets)
        there.sendall(octets)
    messages = 0
    while True:
        flags = _exactly(here, 1)[0]
        size = _exactly(here, 8 if flags & LONG else 1)
        body = _exactly(here, int.from_bytes(size, "big"))
        if not flags & COMMAND:
            messages += 1
            flags |= MORE if messages > 1 else 0
        there.sendall(bytes((flags,)) + size + body)


def _exactly(here: socket.socket, count: int) -> bytes:
    octets = b""
    while len(octets) < count:
        octets += _some(here, count - len(octets))
    return octets


def _some(here: socket.socket, most: int) -> bytes:
    octets = here.recv(most)
    if not octets:
        raise EOFError
    return octets
