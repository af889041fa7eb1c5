"""What libzmq's socket monitor says, read without its helper.

pyzmq's own ``zmq.utils.monitor`` does the same and imports asyncio for it,
which costs every command some 30 ms. Never decides what an event means.
"""

import struct
from typing import NamedTuple

import zmq

_EVENT = struct.Struct("=Hi")


class MonitorEvent(NamedTuple):
    """One event (zmq_socket_monitor(3)): its bit, its value, and the endpoint."""

    event: int
    value: int
    endpoint: str


def receive(monitor: "zmq.Socket[bytes]") -> MonitorEvent:
    """Return the next event of a monitor socket; waits for it."""
    head, endpoint = monitor.recv_multipart()
    event, value = _EVENT.unpack(head)
    return MonitorEvent(event, value, endpoint.decode("utf-8", "replace"))
