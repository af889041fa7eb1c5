"""The shapes of requests and replies."""

import msgspec
import pytest

from landline_protocol.messages import REQUESTS, Call, Done, Login, Register, Reply, Request


@pytest.mark.parametrize("request_type", REQUESTS.values())
def test_every_request_knows_its_word_and_its_reply(request_type: type[Request]) -> None:
    assert REQUESTS[request_type.operation] is request_type
    assert issubclass(request_type.reply, Reply)


def test_every_request_is_in_the_table() -> None:
    assert set(REQUESTS.values()) == set(Request.__subclasses__())


def test_every_reply_answers_something() -> None:
    assert {each.reply for each in REQUESTS.values()} == set(Reply.__subclasses__())


@pytest.mark.parametrize("request_type", [Register, Login])
def test_a_password_is_in_no_repr(request_type: type[Register] | type[Login]) -> None:
    request = request_type("alice", "correct horse")
    for shown in (repr(request), str(request), f"{request}", repr([request])):
        assert "alice" in shown
        assert "correct" not in shown


def test_a_message_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Register("alice", "correct horse").name = "bob"  # type: ignore[misc]


def test_equal_messages_are_equal() -> None:
    assert msgspec.msgpack.encode(Done()) == b"\x80"
    assert Login("alice", "correct horse") == Login("alice", "correct horse")


def test_a_call_that_resumes_nothing_does_not_mention_it() -> None:
    assert msgspec.to_builtins(Call("bob")) == {"name": "bob"}
    assert msgspec.to_builtins(Call("bob", resume=True)) == {"name": "bob", "resume": True}
    assert msgspec.convert({"name": "bob"}, Call) == Call("bob", resume=False)
