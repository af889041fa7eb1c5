"""A message arrives as the frames that were sent."""

from __future__ import annotations

import pytest
import zmq

from landline_broker.frames import is_readable, send_frames
from tests.support.waiting import wait_until


@pytest.mark.parametrize("frames", [[b""], [b"", b"a"], [b"a", b"", b"x" * 100_000]])
def test_frames_arrive_together(frames: list[bytes]) -> None:
    with zmq.Context() as context, context.socket(zmq.PAIR) as one, context.socket(zmq.PAIR) as two:
        one.bind("inproc://here")
        two.connect("inproc://here")
        assert not is_readable(two)
        send_frames(one, frames)
        wait_until(lambda: is_readable(two), "the message")
        assert two.recv_multipart() == frames
        assert not is_readable(two)
