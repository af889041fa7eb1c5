"""Broker requests and replies as frames, and what comes of any other frames."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline_protocol import messages as m
from landline_protocol.codec import (
    OK,
    SIGNATURE,
    BadFrames,
    RequestFrames,
    decode_body,
    decode_reply,
    encode_problem,
    encode_reply,
    encode_request,
    split_request,
)
from landline_protocol.errors import ErrorCode

T = TypeVar("T")

ID = bytes(range(16))
KEY = bytes(range(32))
ACCOUNT = m.Account("alice", 20_001)
POLICY = m.Policy(8, 256, 60.0, 15.0, 45.0)

EXAMPLES: list[tuple[m.Request, m.Reply]] = [
    (m.Hello("landline/0.1.0"), m.Greeting("broker", (1, 1), POLICY, ACCOUNT)),
    (m.Register("alice", "correct horse"), m.Registered(ACCOUNT)),
    (m.Login("alice", "correct horse"), m.LoggedIn(ACCOUNT, 60.0)),
    (m.Logout(), m.Done()),
    (m.Wait(20_001, "192.0.2.7"), m.Leased("192.0.2.7", 20_001, 60.0)),
    (m.Renew(engaged=True), m.Leased("", 20_001, 60.0)),
    (m.Leave(), m.Done()),
    (m.Call("bob"), m.Claimed(ID, "bob", "::1", 20_002, KEY, 15.0)),
    (m.Vet(KEY), m.Vetted(ID, "alice")),
    (m.Who(), m.Roll([m.Presence("bob", "waiting")], more=True)),
]
PROBLEM = m.Problem(ErrorCode.BUSY, "try again", 0.5, "4f1d2c")

ids = st.binary(min_size=16, max_size=16)
nested = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
fields = st.sampled_from(
    [
        "name",
        "password",
        "port",
        "host",
        "key",
        "engaged",
        "after",
        "software",
        "call",
        "users",
        "more",
        "account",
        "lease",
        "expires",
        "code",
        "say",
        "retry_after",
    ]
)
bodies = st.binary(max_size=200) | st.dictionaries(fields, nested, max_size=6).map(
    msgspec.msgpack.encode
)
operations = st.sampled_from([request.operation.encode() for request, _ in EXAMPLES])


def both(request: list[bytes]) -> m.Request:
    return decode_body(split_request(request))


def outcome(read: Callable[[], T]) -> T | ErrorCode:
    """Return what is read, or the code of the refusal; any other exception is a bug."""
    try:
        return read()
    except BadFrames as error:
        if not 0 < len(str(error)) <= 200:
            raise
        return error.code


def test_the_examples_are_every_operation() -> None:
    assert {type(request) for request, _ in EXAMPLES} == set(m.REQUESTS.values())


@pytest.mark.parametrize(("request_", "reply"), EXAMPLES, ids=lambda each: type(each).__name__)
def test_a_request_and_its_reply_come_back(request_: m.Request, reply: m.Reply) -> None:
    assert both(encode_request(request_, ID)) == request_
    assert decode_reply(encode_reply(reply, ID), request_, ID) == reply
    assert decode_reply(encode_problem(PROBLEM, ID), request_, ID) == PROBLEM


@given(st.builds(m.Register, st.text(max_size=1024), st.text(max_size=1024)), ids)
def test_anything_that_can_be_typed_comes_through(request_: m.Register, request_id: bytes) -> None:
    frames = encode_request(request_, request_id)
    assert split_request(frames).request_id == request_id
    assert both(frames) == request_


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_any_frames_are_a_request_or_refused(frames: list[bytes]) -> None:
    assert outcome(lambda: both(frames)) in {ErrorCode.BAD_REQUEST, ErrorCode.VERSION}


@given(operations, bodies)
def test_any_body_is_a_request_or_refused(operation: bytes, body: bytes) -> None:
    request = split_request([SIGNATURE, operation, ID, body])
    assert request == RequestFrames(operation, ID, body)
    read = outcome(lambda: decode_body(request))
    if isinstance(read, m.Request):
        assert read.operation.encode() == operation
    else:
        assert read is ErrorCode.BAD_REQUEST


@given(
    st.sampled_from(EXAMPLES),
    st.sampled_from([SIGNATURE, b"landline/2", b""]),
    st.sampled_from([ID, b""]),
    st.sampled_from([OK, b"busy", b"\xff"]),
    bodies,
)
def test_any_frames_are_a_reply_or_refused(
    example: tuple[m.Request, m.Reply],
    signature: bytes,
    answered: bytes,
    status: bytes,
    body: bytes,
) -> None:
    request, _ = example
    reply = outcome(lambda: decode_reply([signature, answered, status, body], request, ID))
    expected = request.reply if status == OK else m.Problem
    assert reply is ErrorCode.BAD_REQUEST or isinstance(reply, expected)


@given(st.sampled_from(EXAMPLES), st.data())
def test_a_body_with_one_wrong_octet_is_a_message_or_refused(
    example: tuple[m.Request, m.Reply], data: st.DataObject
) -> None:
    request, reply = example
    for frames, read in (
        (encode_request(request, ID), both),
        (encode_reply(reply, ID), lambda frames: decode_reply(frames, request, ID)),
    ):
        body = bytearray(frames[3])
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
        try:
            read([*frames[:3], bytes(body)])
        except BadFrames:
            continue


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x91" * 8_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa4name\xdb\xff\xff\xff\xff",
        b"\x81\xa4name\xa3\xed\xa0\x80",
        b"\x81\xa4name\xa2\xc0\x80",
    ],
)
def test_nesting_false_lengths_and_false_utf8_end_in_bad_request(hostile: bytes) -> None:
    with pytest.raises(BadFrames) as caught:
        both([SIGNATURE, b"call", ID, hostile])
    assert caught.value.code is ErrorCode.BAD_REQUEST
    with pytest.raises(BadFrames):
        decode_reply([SIGNATURE, ID, OK, hostile], m.Call("bob"), ID)
    with pytest.raises(BadFrames):
        decode_reply([SIGNATURE, ID, b"busy", hostile], m.Call("bob"), ID)


@pytest.mark.parametrize("nested", [b"\x91" * 8_000, b"\x81\xa1x" * 2_000])
def test_a_deep_field_that_nobody_knows_is_passed_over_or_bad_request(nested: bytes) -> None:
    """How deep is too deep, each Python decides for itself."""
    body = b"\x82\xa4name\xa3bob\xa1x" + nested + b"\xc0"
    read = outcome(lambda: both([SIGNATURE, b"call", ID, body]))
    assert read in (m.Call("bob"), ErrorCode.BAD_REQUEST)


def test_what_is_told_about_a_bad_body_holds_no_password() -> None:
    body = msgspec.msgpack.encode({"name": 7, "password": "correct horse"})
    with pytest.raises(BadFrames) as caught:
        both([SIGNATURE, b"login", ID, body])
    assert "correct" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([], ErrorCode.BAD_REQUEST),
        ([b"GET /"], ErrorCode.BAD_REQUEST),
        ([b"landline/2", b"call", ID, b"\x80"], ErrorCode.VERSION),
        ([SIGNATURE, b"call", ID], ErrorCode.BAD_REQUEST),
        ([SIGNATURE, b"call", ID[1:], b"\x80"], ErrorCode.BAD_REQUEST),
        ([SIGNATURE, b"dance", ID, b"\x80"], ErrorCode.UNKNOWN_OPERATION),
    ],
)
def test_a_request_is_refused_for_the_first_thing_that_is_wrong(
    frames: list[bytes], code: ErrorCode
) -> None:
    with pytest.raises(BadFrames) as caught:
        split_request(frames)
    assert caught.value.code is code


def test_an_error_is_read_in_any_version_and_a_success_only_in_ours() -> None:
    _, *problem = encode_problem(PROBLEM, ID)
    _, *success = encode_reply(m.Done(), ID)
    assert decode_reply([b"landline/9", *problem], m.Leave(), ID) == PROBLEM
    with pytest.raises(BadFrames, match="not to this request"):
        decode_reply([b"landline/9", *success], m.Leave(), ID)


def bad_replies() -> list[Any]:
    good = encode_reply(m.Done(), ID)
    return [
        pytest.param(good[:3], "not from a Landline broker", id="three frames"),
        pytest.param([b"other/1", *good[1:]], "not from a Landline broker", id="stranger"),
        pytest.param([SIGNATURE, ID[::-1], *good[2:]], "not to this request", id="other id"),
        pytest.param([SIGNATURE, ID, OK, b""], "not valid", id="no body"),
        pytest.param(
            [SIGNATURE, ID, b"offline", encode_problem(PROBLEM, ID)[3]],
            "two error codes",
            id="two codes",
        ),
    ]


@pytest.mark.parametrize(("frames", "say"), bad_replies())
def test_a_reply_to_something_else_is_refused(frames: list[bytes], say: str) -> None:
    with pytest.raises(BadFrames, match=say):
        decode_reply(frames, m.Leave(), ID)
