"""Every CURVE key gets in under its own name; nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zmq.utils import z85

from landline_broker.zap import DOMAIN, verdict

KEY = bytes(range(32))
QUESTION = [b"1.0", b"7", DOMAIN, b"192.0.2.7", b"", b"CURVE", KEY]


def test_a_key_gets_in_under_its_own_name() -> None:
    assert verdict(QUESTION) == [b"1.0", b"7", b"200", b"OK", z85.encode(KEY), b""]


@pytest.mark.parametrize(
    ("place", "frame"),
    [
        (0, b"2.0"),
        (2, b""),
        (2, b"*"),
        (2, b"landline"),
        (5, b"NULL"),
        (5, b"PLAIN"),
        (5, b"curve"),
        (6, b""),
        (6, KEY[:31]),
        (6, KEY + b"x"),
    ],
)
def test_one_wrong_frame_keeps_everybody_out(place: int, frame: bytes) -> None:
    question = [*QUESTION]
    question[place] = frame
    answer = verdict(question)
    assert answer[:2] == [b"1.0", b"7"]
    assert answer[2] in (b"400", b"500")
    assert answer[4] == b""


@pytest.mark.parametrize("length", range(7))
def test_a_question_cut_short_keeps_everybody_out(length: int) -> None:
    assert verdict(QUESTION[:length])[2] != b"200"


@given(st.lists(st.binary(max_size=40), max_size=9))
def test_any_frames_get_an_answer(frames: list[bytes]) -> None:
    answer = verdict(frames)
    assert len(answer) == 6
    assert answer[2] != b"200" or frames[2] == DOMAIN
