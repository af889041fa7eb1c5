"""Knocks at a waiting peer's port, on a host, and says how the handshake ended.

Usage: python knock.py HOST CALLEE_HOME [KNOCKER_HOME]

The callee's home tells its port and its key, which are no secrets on a network. With
no home of its own, the stranger comes with a key that nobody has seen.
"""

import sys
from pathlib import Path

import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from landline import Peer
from landline.device import device_key
from landline.home import Home
from landline_protocol.invite import bracketed

DEADLINE_MS = 10_000
ENDINGS: dict[int, str] = {
    zmq.EVENT_HANDSHAKE_SUCCEEDED: "let in",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "refused",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "failed",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "failed",
    zmq.EVENT_DISCONNECTED: "disconnected",
    zmq.EVENT_CLOSED: "unreachable",
}


def knock(host: str, callee: str, knocker: str = "") -> str:
    """Return how the handshake ended."""
    with Peer(callee) as peer:
        account = peer.account()
    assert account is not None
    server = device_key(Home(Path(callee))).public
    keys = _keys(Path(knocker)) if knocker else zmq.curve_keypair()
    return _outcome(f"tcp://{bracketed(host)}:{account.port}", server, keys)


def _keys(home: Path) -> tuple[bytes, bytes]:
    key = device_key(Home(home))
    return z85.encode(key.public), z85.encode(key.secret)


def _outcome(address: str, server: bytes, keys: tuple[bytes, bytes]) -> str:
    with zmq.Context() as context, context.socket(zmq.PAIR) as pair:
        pair.linger = 0
        pair.ipv6 = True
        pair.reconnect_ivl = -1
        pair.curve_serverkey = server
        pair.curve_publickey, pair.curve_secretkey = keys
        monitor = pair.get_monitor_socket()
        try:
            pair.connect(address)
            while monitor.poll(DEADLINE_MS):
                event = parse_monitor_message(monitor.recv_multipart())["event"]
                if event in ENDINGS:
                    return ENDINGS[event]
            return "silence"
        finally:
            pair.disable_monitor()
            monitor.close(0)


if __name__ == "__main__":
    print(knock(*sys.argv[1:]))
