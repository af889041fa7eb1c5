"""Sending several frames as one message, by the shortest way there is.

pyzmq's own ``send_multipart`` joins two enums for each frame, which costs as
much as the sending.
"""

from collections.abc import Sequence
from typing import Final

import zmq

_MORE: Final = int(zmq.SNDMORE)
_EVENTS: Final = int(zmq.EVENTS)
_IN: Final = int(zmq.POLLIN)


def send_frames(socket: "zmq.Socket[bytes]", frames: Sequence[bytes]) -> None:
    """Send a message of at least one frame."""
    send = socket.send
    for frame in frames[:-1]:
        send(frame, _MORE)
    send(frames[-1], 0)


def is_readable(socket: "zmq.Socket[bytes]") -> bool:
    """Whether a message lies ready."""
    events = socket.get(_EVENTS)
    return isinstance(events, int) and bool(events & _IN)
