"""The context frame carries what the transport proves, and only that."""

from __future__ import annotations

import pytest
from zmq.utils import z85

from landline_broker.context import Context, Peer, peer_frame, read_peer

KEY = bytes(range(32))


@pytest.mark.parametrize("seen", ["192.0.2.7", "::ffff:192.0.2.7"])
def test_a_frame_holds_the_key_and_the_address_in_its_one_spelling(seen: str) -> None:
    peer = read_peer(peer_frame(z85.encode(KEY).decode(), seen))
    assert peer == Peer(KEY, "192.0.2.7")
    context = Context(peer, b"r" * 16)
    assert (context.device, context.address) == (KEY, "192.0.2.7")
