"""Who asks: what the transport proves about a request.

The dispatcher reads it off the message and puts it in front of the request as
one frame; the worker reads it again. It never comes from the peer's own words.
"""

from functools import lru_cache

import msgspec
from zmq.utils import z85

from landline_broker.address import normal_address


class Peer(msgspec.Struct, frozen=True):
    """A device's public key (32 octets) and the IP address it comes from."""

    device: bytes
    address: str


class Context(msgspec.Struct, frozen=True):
    """A peer and the id of its request (16 octets)."""

    peer: Peer
    request_id: bytes

    @property
    def device(self) -> bytes:
        """The key of the device that asks."""
        return self.peer.device

    @property
    def address(self) -> str:
        """The address that the broker sees."""
        return self.peer.address


_decoder = msgspec.msgpack.Decoder(Peer)


@lru_cache(maxsize=4096)
def peer_frame(user_id: str, address: str) -> bytes:
    """Return the context frame for a message's ``User-Id`` (Z85) and ``Peer-Address``."""
    return msgspec.msgpack.encode(Peer(z85.decode(user_id), normal_address(address)))


def read_peer(frame: bytes) -> Peer:
    """Read a context frame."""
    return _decoder.decode(frame)
