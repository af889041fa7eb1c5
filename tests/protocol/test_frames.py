"""Link frames as octets and back, and what comes of any other octets."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landline_protocol import frames
from landline_protocol.errors import FailCode, RemoteProtocolError
from landline_protocol.frames import (
    KINDS,
    Accept,
    Ack,
    Ask,
    Batch,
    Bye,
    Chunk,
    ControlFrame,
    Decline,
    End,
    Fail,
    Frame,
    Hello,
    Item,
    Kind,
    Refuse,
    Stored,
    Text,
    Welcome,
    decode,
    decode_items,
    encode,
    encode_batch,
    encode_item,
    encode_texts,
    item_sizes,
    split_items,
)
from landline_protocol.limits import (
    AT_MAX_MS,
    BATCH_ITEMS_MAX,
    BATCH_MAX,
    LINK_FRAME_MAX,
    NUMBER_MAX,
    TEXT_MAX,
    WINDOW_MAX,
    WINDOW_MIN,
)

ID = bytes(range(16))

times = st.integers(0, AT_MAX_MS)
digests = st.binary(min_size=32, max_size=32)
numbers = st.integers(1, NUMBER_MAX)
counts = st.integers(0, NUMBER_MAX)
windows = st.integers(WINDOW_MIN, WINDOW_MAX)
versions = st.integers(1, 65_535)
say = st.text(max_size=40)
codes = st.text(min_size=1, max_size=32)
user_names = st.text(min_size=1, max_size=64)
conversations = st.binary(min_size=16, max_size=16)

texts = st.builds(Text, times, st.text(max_size=300))
byes = st.builds(Bye, times, digests, counts, digests)
items = st.lists(texts | byes, min_size=1, max_size=40)
control_frames: st.SearchStrategy[ControlFrame] = st.one_of(
    st.builds(
        Hello,
        st.tuples(versions, versions),
        conversations,
        user_names,
        user_names,
        numbers,
        windows,
        st.booleans(),
    ),
    st.builds(Welcome, versions, conversations, numbers, windows),
    st.builds(Refuse, codes, say),
    st.just(Accept()),
    st.builds(Decline, codes, say),
    st.builds(Ack, counts, st.integers(0, WINDOW_MAX)),
    st.builds(Fail, codes, say),
    st.builds(Ask, conversations),
    st.builds(Stored, conversations, counts),
    st.just(End()),
)


def batch_of(first: int, *batch: Item) -> bytes:
    return joined(first, [encode_item(item) for item in batch])


def joined(first: int, encoded: list[bytes]) -> bytes:
    """Return the batch of encoded items."""
    return encode_batch(Chunk(first, len(encoded), b"".join(encoded)))


wire = control_frames.map(encode) | st.builds(
    lambda first, batch: batch_of(first, *batch), st.integers(1, 2**62), items
)


def refusal(octets: bytes) -> FailCode:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(octets)
    assert caught.value.__cause__ is None
    assert len(str(caught.value)) <= 200
    return caught.value.code


def outcome(octets: bytes) -> Frame | FailCode:
    """Return the frame, or the code of the refusal; any other exception is a bug."""
    try:
        return decode(octets)
    except RemoteProtocolError as error:
        return error.code


def test_every_kind_is_a_frame_or_the_batch() -> None:
    assert {*KINDS.values(), Kind.BATCH} == set(Kind)


@given(control_frames)
def test_a_control_frame_comes_back(frame: ControlFrame) -> None:
    octets = encode(frame)
    assert octets[0] == KINDS[type(frame)]
    assert decode(octets) == frame


@given(st.integers(1, 2**62), items)
def test_a_batch_comes_back_with_the_octets_of_its_items(first: int, batch: list[Item]) -> None:
    encoded = [encode_item(item) for item in batch]
    octets = b"".join(encoded)
    assert decode(joined(first, encoded)) == Batch(first, batch, octets)
    assert decode_items(octets, len(batch)) == batch
    assert split_items(octets, len(batch)) == encoded
    assert item_sizes(octets, len(batch)) == list(map(len, encoded))


@given(st.lists(texts, max_size=40))
@example([Text(0, "x")] * 15)
@example([Text(0, "x")] * 16)
@example([Text(0, "x")] * 65_535)
@example([Text(0, "x")] * 65_536)
def test_many_texts_are_written_like_each(batch: list[Text]) -> None:
    octets = encode_texts(batch)
    assert octets == b"".join(map(encode_item, batch))
    assert len(item_sizes(octets, len(batch))) == len(batch)


@pytest.mark.parametrize("chunk", [Chunk(1, 1, b"x"), Chunk(7, 3, b"xyz")])
def test_a_chunk_knows_its_last_number(chunk: Chunk) -> None:
    assert chunk.last == chunk[0] + chunk[1] - 1


@given(st.binary(max_size=300))
def test_any_octets_are_a_frame_or_refused(octets: bytes) -> None:
    assert outcome(octets) not in set(FailCode) - {FailCode.MALFORMED}


@given(st.sampled_from(Kind), st.binary(max_size=300))
def test_any_octets_after_a_kind_are_a_frame_or_refused(kind: Kind, body: bytes) -> None:
    frame = outcome(bytes((kind,)) + body)
    if frame is not FailCode.MALFORMED:
        assert isinstance(frame, Batch) is (kind is Kind.BATCH)


@given(wire, st.data())
def test_a_frame_with_wrong_octets_is_a_frame_or_refused(
    octets: bytes, data: st.DataObject
) -> None:
    changed = bytearray(octets)
    for place in data.draw(st.lists(st.integers(0, len(octets) - 1), min_size=1, max_size=4)):
        changed[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(octets)))
    for hostile in (bytes(changed), octets[:cut], octets + octets[cut:]):
        try:
            frame = decode(hostile)
        except RemoteProtocolError:
            continue
        if isinstance(frame, Batch):
            assert b"".join(split_items(frame.octets, len(frame.items))) == frame.octets


HEAD = b"\x06" + bytes(7) + b"\x01"


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x91" * 100_000,
        b"\x93\x01" + b"\x91" * 100_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdc\xff\xff",
        b"\x91\xdd\xff\xff\xff\xff",
        b"\x91\x93\x01\x00\xdb\xff\xff\xff\xff",
        b"\x91\x93\x01\x00\xa3\xed\xa0\x80",
        b"\x91\x93\x01\x00\xa2\xc0\x80",
        b"\x91\xc1",
        b"\x80",
        b"",
    ],
)
def test_nesting_false_lengths_and_false_utf8_are_malformed(hostile: bytes) -> None:
    assert refusal(HEAD + hostile) is FailCode.MALFORMED
    assert refusal(b"\x01" + hostile) is FailCode.MALFORMED
    assert refusal(b"\x07" + hostile) is FailCode.MALFORMED


def test_a_field_that_is_nested_without_end_is_malformed() -> None:
    octets = encode(Fail("malformed", ""))
    assert octets[1] == 0x82
    assert refusal(b"\x08\x83" + octets[2:] + b"\xa1x" + b"\x91" * 100_000) is FailCode.MALFORMED


@pytest.mark.parametrize("octets", [b"", b"\x00\x80", b"\x0c\x80", b"\xff"])
def test_what_has_no_known_kind_is_malformed(octets: bytes) -> None:
    assert refusal(octets) is FailCode.MALFORMED


@pytest.mark.parametrize(
    ("first", "count"), [(0, 1), (NUMBER_MAX, 1), (NUMBER_MAX - 15, 16), (2**64 - 1, 1)]
)
def test_a_number_out_of_range_is_malformed(first: int, count: int) -> None:
    assert refusal(batch_of(first, *[Text(0, "x")] * count)) is FailCode.MALFORMED


def test_the_highest_numbers_can_be_said() -> None:
    assert isinstance(decode(batch_of(NUMBER_MAX - 16, *[Text(0, "x")] * 16)), Batch)


@pytest.mark.parametrize(
    "text", ["x" * TEXT_MAX, "é" * (TEXT_MAX // 2), "\N{BELL}" * (TEXT_MAX // 4)]
)
def test_the_longest_text_passes_whatever_its_script(text: str) -> None:
    frame = decode(batch_of(1, Text(AT_MAX_MS, text)))
    assert isinstance(frame, Batch)
    assert frame.items == [Text(AT_MAX_MS, text)]


@pytest.mark.parametrize(
    "text", ["x" * (TEXT_MAX + 1), "é" * (TEXT_MAX // 2 + 1), "☎" * 21_846, "\N{BELL}" * 16_385]
)
def test_a_longer_text_is_too_large_whatever_its_script(text: str) -> None:
    assert refusal(batch_of(1, Text(0, text))) is FailCode.TOO_LARGE


@pytest.mark.parametrize("others", [0, 1, 2, 3, 1_000])
@pytest.mark.parametrize("at", [0, AT_MAX_MS])
def test_a_text_that_is_too_long_is_found_among_others(others: int, at: int) -> None:
    short, most, more = (Text(at, "x" * size) for size in (0, TEXT_MAX, TEXT_MAX + 1))
    assert isinstance(decode(batch_of(1, *[short] * others, most)), Batch)
    assert refusal(batch_of(1, *[short] * others, more)) is FailCode.TOO_LARGE
    assert refusal(batch_of(1, more, *[short] * others)) is FailCode.TOO_LARGE


def test_a_batch_has_its_limits_to_the_octet() -> None:
    most = [Text(0, "")] * BATCH_ITEMS_MAX
    assert isinstance(decode(batch_of(1, *most)), Batch)
    assert refusal(batch_of(1, *most, Text(0, ""))) is FailCode.TOO_LARGE

    full = [encode_item(Text(0, "x" * 60_000)), encode_item(Text(0, "x" * 60_000))]
    rest = BATCH_MAX - len(b"".join(full)) - 6  # three octets before the text's own head of three
    full.append(encode_item(Text(0, "x" * rest)))
    assert len(b"".join(full)) == BATCH_MAX
    assert isinstance(decode(joined(1, full)), Batch)
    full[2] = encode_item(Text(0, "x" * (rest + 1)))
    assert refusal(joined(1, full)) is FailCode.TOO_LARGE


def test_a_frame_has_its_limit_to_the_octet() -> None:
    octets = encode(Accept())
    assert refusal(octets.ljust(LINK_FRAME_MAX, b"\xc0")) is FailCode.MALFORMED
    assert refusal(octets.ljust(LINK_FRAME_MAX + 1, b"\xc0")) is FailCode.TOO_LARGE


@given(st.lists(texts, min_size=1, max_size=20))
@example([Text(0, "x")] * 15)
@example([Text(0, "x")] * 16)
def test_array_16_is_taken_for_any_count_and_array_32_for_none(batch: list[Text]) -> None:
    encoded = b"".join(map(encode_item, batch))
    long_head = HEAD + b"\xdc" + len(batch).to_bytes(2, "big") + encoded
    longer_head = HEAD + b"\xdd" + len(batch).to_bytes(4, "big") + encoded
    assert decode(long_head) == Batch(1, list(batch), encoded)
    assert refusal(longer_head) is FailCode.MALFORMED


@pytest.mark.parametrize(("count", "head"), [(15, b"\x9f"), (16, b"\xdc\x00\x10")])
def test_a_batch_is_written_with_the_shorter_head(count: int, head: bytes) -> None:
    item = encode_item(Text(0, "x"))
    assert joined(1, [item] * count) == HEAD + head + item * count


def longer_forms(item: Text) -> st.SearchStrategy[bytes]:
    """Return ways to write a text that are not the shortest."""
    octets = item.text.encode()
    heads = st.sampled_from([b"\xdc\x00\x03", b"\xdd\x00\x00\x00\x03", b"\x93"])
    marks = st.sampled_from([b"\x01", b"\xcc\x01", b"\xd1\x00\x01", b"\xcf" + bytes(7) + b"\x01"])
    at = item.at.to_bytes(8, "big")
    lengths = st.sampled_from(
        [b"\xda" + len(octets).to_bytes(2, "big"), b"\xdb" + len(octets).to_bytes(4, "big")]
    )
    return st.builds(
        lambda head, mark, clock, length: head + mark + clock + at + length + octets,
        heads,
        marks,
        st.sampled_from([b"\xcf", b"\xd3"]),
        lengths,
    )


@given(texts, st.data())
def test_items_in_longer_forms_keep_the_octets_that_came(item: Text, data: st.DataObject) -> None:
    encoded = [data.draw(longer_forms(item)), encode_item(item)]
    frame = decode(joined(1, encoded))
    assert isinstance(frame, Batch)
    assert frame.items == [item, item]
    assert frame.octets == b"".join(encoded)
    assert split_items(frame.octets, 2) == encoded


@given(texts | byes)
def test_an_item_is_written_in_the_shortest_form(item: Any) -> None:
    """Every integer, length and head is the shortest: nothing shorter reads the same."""
    octets = encode_item(item)
    size = 1 + 1 + _int_size(item.at)
    if isinstance(item, Text):
        size += _head_size(len(item.text.encode())) + len(item.text.encode())
    else:
        size += 2 + 32 + _int_size(item.heard_number) + 2 + 32
    assert len(octets) == size


def _int_size(value: int) -> int:
    return next(
        size
        for size, top in ((1, 2**7), (2, 2**8), (3, 2**16), (5, 2**32), (9, 2**64))
        if value < top
    )


def _head_size(length: int) -> int:
    return next(size for size, top in ((1, 32), (2, 2**8), (3, 2**16), (5, 2**32)) if length < top)


def test_only_a_delivery_says_whether_it_rings() -> None:
    """So that the hello of a call is the same as before there were deliveries."""
    hello = Hello((1, 1), ID, "alice", "bob", 1, WINDOW_MIN)
    octets = encode(hello)
    assert hello.ring
    assert b"ring" not in octets
    delivery = Hello((1, 1), ID, "alice", "bob", 1, WINDOW_MIN, ring=False)
    assert encode(delivery) == b"\x01\x87" + octets[2:] + b"\xa4ring\xc2"
    assert decode(b"\x01\x87" + octets[2:] + b"\xa4ring\xc3") == hello


def test_the_module_says_nothing_of_order() -> None:
    """A second bye or a text after it is the business of ``conversation``."""
    bye = Bye(0, bytes(32), 0, bytes(32))
    assert isinstance(frames.decode(batch_of(1, bye, bye, Text(0, ""))), Batch)
