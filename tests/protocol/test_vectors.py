"""Every test vector beside SPEC.md holds for this implementation."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from landline_protocol import codec, frames, messages, names
from landline_protocol.conversation import Inbound, InboundState, Outbound, OutboundState
from landline_protocol.errors import RemoteProtocolError
from landline_protocol.frames import Ack, Ask, Batch, Bye, Chunk, Kind, Text
from landline_protocol.invite import InvalidInvite, Invite
from landline_protocol.link import Link, LinkState, Role
from landline_protocol.messages import REQUESTS, Problem, Request

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"

Vector = dict[str, Any]


def load(name: str) -> Vector:
    vectors: Vector = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return vectors


TEXT, BROKER, LINK, CONVERSATION = map(load, ("text", "broker", "link", "conversation"))


def cases(vectors: list[Vector]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "case", [pytest.param(each, id=each["name"]) for each in vectors]
    )


def octets(value: Any) -> bytes:
    """Return the octets that a vector stands for."""
    if isinstance(value, list):
        return b"".join(map(octets, value))
    if isinstance(value, dict):
        return octets(value["repeat"]) * value["times"]  # type: ignore[no-any-return]
    return bytes.fromhex(value)


def plain(value: Any) -> Any:
    """Return a message as a vector writes it."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(each) for name, each in msgspec.structs.asdict(value).items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value.hex() if isinstance(value, bytes) else value


BINARY = {"call", "conversation", "heard", "key", "said"}


def typed(kind: Any, fields: Vector) -> Any:
    """Return a message made from what a vector writes."""
    return msgspec.convert(_with_octets(fields), kind)


def _with_octets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: bytes.fromhex(each)
            if name in BINARY and isinstance(each, str)
            else _with_octets(each)
            for name, each in value.items()
        }
    return [_with_octets(each) for each in value] if isinstance(value, list) else value


# Section 4.


@pytest.mark.parametrize("case", TEXT["names"], ids=repr)
def test_a_name_has_one_spelling(case: Vector) -> None:
    assert names.canonical_name(case["typed"]) == case["name"]


@pytest.mark.parametrize("text", TEXT["bad_names"], ids=ascii)
def test_what_cannot_be_a_name_is_refused(text: str) -> None:
    with pytest.raises(names.InvalidName):
        names.canonical_name(text)


@pytest.mark.parametrize("case", TEXT["passwords"], ids=lambda case: ascii(case["typed"]))
def test_a_password_stands_for_these_octets(case: Vector) -> None:
    assert names.canonical_password(case["typed"]) == bytes.fromhex(case["octets"])


@pytest.mark.parametrize("text", TEXT["bad_passwords"], ids=ascii)
def test_what_cannot_be_a_password_is_refused(text: str) -> None:
    with pytest.raises(names.InvalidPassword):
        names.canonical_password(text)


@pytest.mark.parametrize("case", TEXT["invites"], ids=lambda case: case["host"])
def test_an_invite_is_read_and_printed(case: Vector) -> None:
    invite = Invite.parse(case["text"])
    assert (invite.host, invite.port, invite.key.hex()) == (
        case["host"],
        case["port"],
        case["key"],
    )
    assert str(invite) == case["printed"]
    assert Invite.parse(str(invite)) == invite


@pytest.mark.parametrize("text", TEXT["bad_invites"], ids=lambda text: ascii(text)[:80])
def test_what_is_no_invite_is_refused(text: str) -> None:
    with pytest.raises(InvalidInvite):
        Invite.parse(text)


def leased_at(host: str) -> list[bytes]:
    return codec.encode_reply(messages.Leased(host, 20_001, 60.0), bytes(range(16)))


@pytest.mark.parametrize("host", TEXT["hosts"], ids=lambda host: ascii(host)[:40])
def test_a_reply_may_name_this_host(host: str) -> None:
    reply = codec.decode_reply(leased_at(host), messages.Renew(engaged=True), bytes(range(16)))
    assert isinstance(reply, messages.Leased)
    assert reply.host == host


@pytest.mark.parametrize("host", TEXT["bad_hosts"], ids=lambda host: ascii(host)[:40])
def test_a_reply_may_not_name_this_host(host: str) -> None:
    with pytest.raises(codec.BadFrames):
        codec.decode_reply(leased_at(host), messages.Renew(engaged=True), bytes(range(16)))


# Section 5.


def asked(case: Vector) -> Request:
    request: Request = typed(REQUESTS[case["request"]["operation"]], case["request"]["body"])
    return request


@cases(BROKER["requests"])
def test_a_request_is_read(case: Vector) -> None:
    split = codec.split_request([octets(each) for each in case["frames"]])
    request = codec.decode_body(split)
    assert split.request_id.hex() == case["request_id"]
    assert (request.operation, plain(request)) == (case["operation"], case["body"])


@cases([each for each in BROKER["requests"] if each["canonical"]])
def test_a_request_is_written(case: Vector) -> None:
    request = typed(REQUESTS[case["operation"]], case["body"])
    written = codec.encode_request(request, bytes.fromhex(case["request_id"]))
    assert written == [octets(each) for each in case["frames"]]


@cases(BROKER["bad_requests"])
def test_what_is_no_request_is_refused(case: Vector) -> None:
    with pytest.raises(codec.BadFrames) as caught:
        codec.decode_body(codec.split_request([octets(each) for each in case["frames"]]))
    assert caught.value.code == case["error"]


@cases(BROKER["replies"])
def test_a_reply_is_read(case: Vector) -> None:
    request, request_id = asked(case), bytes.fromhex(case["request_id"])
    reply = codec.decode_reply([octets(each) for each in case["frames"]], request, request_id)
    assert plain(reply) == case["body"]
    assert (reply.code if isinstance(reply, Problem) else "ok") == case["status"]


@cases([each for each in BROKER["replies"] if each["canonical"]])
def test_a_reply_is_written(case: Vector) -> None:
    request, request_id = asked(case), bytes.fromhex(case["request_id"])
    if case["status"] == "ok":
        written = codec.encode_reply(typed(request.reply, case["body"]), request_id)
    else:
        written = codec.encode_problem(typed(Problem, case["body"]), request_id)
    assert written == [octets(each) for each in case["frames"]]


@cases(BROKER["bad_replies"])
def test_what_is_no_reply_to_this_is_refused(case: Vector) -> None:
    request, request_id = asked(case), bytes.fromhex(case["request_id"])
    with pytest.raises(codec.BadFrames):
        codec.decode_reply([octets(each) for each in case["frames"]], request, request_id)


# Sections 6.1 and 6.2.

CONTROL = {kind.name.lower(): frame for frame, kind in frames.KINDS.items()}
ARRAYS = {"ack", "ask", "stored"}


@cases(LINK["frames"])
def test_a_frame_is_read(case: Vector) -> None:
    whole = octets(case["octets"])
    frame = frames.decode(whole)
    assert Kind(whole[0]).name.lower() == case["kind"]
    if "fields" in case and isinstance(frame, Batch):
        assert plain(frame.items) == case["fields"]["items"]
        assert frame.first == case["fields"]["first"]
        items = frames.split_items(frame.octets, len(frame.items))
        assert items == [octets(each) for each in case["item_octets"]]
    elif "fields" in case:
        assert plain(frame) == case["fields"]
    else:
        assert isinstance(frame, Batch)
        assert len(frame.items) == case.get("count", 1)
        if "text_octets" in case:
            (text,) = frame.items
            assert isinstance(text, frames.Text)
            assert len(text.text.encode()) == case["text_octets"]


@cases([each for each in LINK["frames"] if each["canonical"]])
def test_a_frame_is_written(case: Vector) -> None:
    whole = octets(case["octets"])
    if case["kind"] == "batch":
        batch = frames.decode(whole)
        assert isinstance(batch, Batch)
        items = b"".join(map(frames.encode_item, batch.items))
        written = frames.encode_batch(Chunk(batch.first, len(batch.items), items))
    elif case["kind"] in ARRAYS:
        written = frames.encode(CONTROL[case["kind"]](**_with_octets(case["fields"])))
    else:
        written = frames.encode(typed(CONTROL[case["kind"]], case["fields"]))
    assert written == whole


@cases(LINK["bad_frames"])
def test_what_is_no_frame_is_refused(case: Vector) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        frames.decode(octets(case["octets"]))
    assert caught.value.code == case["error"]


def walked(link: Link, moves: list[Vector]) -> None:
    for move in moves:
        if "sent" in move:
            frame = frames.decode(octets(move["sent"]))
            # The questions that are open are those that went through `send`.
            assert (
                link.send(frame) if isinstance(frame, Ask) else link.forward(octets(move["sent"]))
            )
        else:
            link.receive(octets(move["received"]))


@cases(LINK["links"])
def test_a_link_goes_this_way(case: Vector) -> None:
    link = Link(Role[case["role"].upper()])
    if "state" in case:
        walked(link, case["moves"])
        assert link.state.name == case["state"]
        return
    walked(link, case["moves"][:-1])
    with pytest.raises(RemoteProtocolError) as caught:
        walked(link, case["moves"][-1:])
    assert caught.value.code == case["error"]
    assert link.state is LinkState.ERROR


# Sections 6.4 to 6.6.


@cases(CONVERSATION["inbound"])
def test_a_direction_is_heard(case: Vector) -> None:
    inbound = Inbound(bytes.fromhex(case["conversation"]), Role[case["speaker"].upper()])
    inbound.resume(case["window"])
    for step in case["steps"]:
        if "acknowledge" in step:
            inbound.acknowledged(Ack(*step["acknowledge"]))
            continue
        if "resume" in step:
            inbound.resume(step["resume"])
            continue
        batch = frames.decode(octets(step["hear"]))
        assert isinstance(batch, Batch)
        if "error" in step:
            with pytest.raises(RemoteProtocolError) as caught:
                inbound.hear(batch)
            assert caught.value.code == step["error"]
            assert inbound.state is InboundState.ERROR
        else:
            assert len(inbound.hear(batch).items) == step["new"]
            assert inbound.digest.hex() == step["digest"]


@cases(CONVERSATION["outbound"])
def test_a_direction_is_said(case: Vector) -> None:
    outbound = Outbound(bytes.fromhex(case["conversation"]), Role[case["speaker"].upper()])
    outbound.resume(1, case["window"])
    for step in case["steps"]:
        code = step.get("error")
        if code is None:
            make(outbound, step)
            continue
        with pytest.raises(RemoteProtocolError) as caught:
            make(outbound, step)
        assert caught.value.code == code
        assert outbound.state is OutboundState.ERROR


def numbered(batches: list[bytes]) -> list[tuple[int, bytes]]:
    """Return the items of batches with their numbers: how they are batched is free."""
    items: list[tuple[int, bytes]] = []
    for whole in batches:
        batch = frames.decode(whole)
        assert isinstance(batch, Batch)
        items += enumerate(frames.split_items(batch.octets, len(batch.items)), batch.first)
    return items


def make(outbound: Outbound, step: Vector) -> None:
    match step:
        case {"say": {"at": at, "text": text}, "number": number}:
            text = text["repeat"] * text["times"] if isinstance(text, dict) else text
            assert outbound.say([Text(at, text)])[-1].last == number
        case {"bye": {"at": at, "heard_number": heard_number, "heard": heard}, "number": number}:
            assert outbound.bye(at, heard_number, bytes.fromhex(heard)).last == number
        case {"batches": batches}:
            assert numbered(outbound.batches()) == numbered([octets(each) for each in batches])
        case {"confirm": ack}:
            assert outbound.confirm(Ack(*ack)) == step["newly"]
        case {"resume": [number, window]}:
            assert outbound.resume(number, window) == step["newly"]
        case {"their_bye": {"heard_number": heard_number, "heard": heard}}:
            bye = Bye(0, bytes(32), heard_number, bytes.fromhex(heard))
            outbound.check_agreement(bye)
        case {"state": state}:
            assert outbound.state.name == state
        case _:
            pytest.fail(f"unknown step {step}")
