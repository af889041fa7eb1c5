"""How a connection that is of no use any more is noticed below ZeroMQ."""

import zmq

from landline_protocol.limits import HEARTBEAT_INTERVAL_MS, HEARTBEAT_TIMEOUT_MS


def keep_alive(socket: "zmq.Socket[bytes]") -> None:
    """Let the system notice when the machine at the other end, or the way there, is gone.

    ZMTP has heartbeats for that, and libzmq 4.3.5 aborts the whole program when a
    connection breaks whose input it had held up and the next heartbeat is due.
    """
    socket.tcp_keepalive = 1
    socket.tcp_keepalive_idle = socket.tcp_keepalive_intvl = HEARTBEAT_INTERVAL_MS // 1_000
    socket.tcp_keepalive_cnt = HEARTBEAT_TIMEOUT_MS // HEARTBEAT_INTERVAL_MS
    socket.tcp_maxrt = HEARTBEAT_TIMEOUT_MS
