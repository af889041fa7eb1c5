"""The two ends of a link: where a caller dials, what a callee refuses."""

import pytest

from landline.ends import Dial, Listen
from landline_protocol import VERSION
from landline_protocol.errors import FailCode
from landline_protocol.frames import Hello
from landline_protocol.limits import WINDOW

USED, FRESH = b"\1" * 16, b"\2" * 16


def hello(
    *,
    version: int = VERSION,
    conversation: bytes = FRESH,
    caller: str = "alice",
    callee: str = "bob",
    resume: int = 1,
) -> Hello:
    return Hello((version, version), conversation, caller, callee, resume, WINDOW)


BOB = Listen("bob", 0, known=lambda conversation: conversation == USED)


def test_a_callee_welcomes_who_was_vetted_and_means_it() -> None:
    assert BOB.refusal(hello(), "alice") is None


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (hello(version=VERSION + 1), FailCode.VERSION),
        (hello(caller="mallory"), FailCode.WRONG_NAME),
        (hello(callee="carol"), FailCode.WRONG_NAME),
        (hello(conversation=USED), FailCode.UNKNOWN_CONVERSATION),
        (hello(resume=2), FailCode.UNKNOWN_CONVERSATION),
    ],
)
def test_a_callee_refuses_what_it_cannot_welcome(said: Hello, code: FailCode) -> None:
    refusal = BOB.refusal(said, "alice")
    assert refusal is not None
    assert refusal.code == code


@pytest.mark.parametrize(
    ("host", "address"), [("192.0.2.7", "192.0.2.7:20000"), ("2001:db8::7", "[2001:db8::7]:20000")]
)
def test_an_address_is_written_with_its_port(host: str, address: str) -> None:
    assert Dial(host, 20_000, b"", hello()).address == address
