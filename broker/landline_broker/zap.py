"""The ZAP handler: lets every CURVE key in, and names it to the dispatcher.

What a key may do is decided for each request, not here. Anything else than a
CURVE key that knocks in our own domain is refused (RFC 27).
"""

import logging
from collections.abc import Callable

import zmq
from zmq.utils import z85

from landline_protocol.limits import KEY_OCTETS

ENDPOINT = "inproc://zeromq.zap.01"
DOMAIN = b"landline-broker"

log = logging.getLogger("landline.broker")


def admit(context: "zmq.Context[zmq.Socket[bytes]]", ready: Callable[[], object]) -> None:
    """Say ``ready``, then answer libzmq's questions until the context ends."""
    with context.socket(zmq.REP) as socket:
        socket.linger = 0
        socket.bind(ENDPOINT)
        ready()
        try:
            while True:
                socket.send_multipart(verdict(socket.recv_multipart()))
        except zmq.ContextTerminated:
            return


def verdict(question: list[bytes]) -> list[bytes]:
    """Return the answer to one ZAP request: 200 with the key in Z85, or 400."""
    version, request_id = [*question, b"", b""][:2]
    if version != b"1.0":
        return [b"1.0", request_id, b"500", b"version", b"", b""]
    match question[2:]:
        case [domain, _, _, b"CURVE", key] if domain == DOMAIN and len(key) == KEY_OCTETS:
            return [b"1.0", request_id, b"200", b"OK", z85.encode(key), b""]
    log.info("refused a connection that brought no key")
    return [b"1.0", request_id, b"400", b"refused", b"", b""]
