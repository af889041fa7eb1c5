"""The two directions of a conversation: alone, back to back, and against a hostile end."""

import hashlib
from collections import deque
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landline_protocol.conversation import (
    INBOUND,
    OUTBOUND,
    Inbound,
    InboundMove,
    InboundState,
    Outbound,
    OutboundMove,
    OutboundState,
    Receipts,
    UnfitText,
    check_text,
    fresh_digest,
    joined,
)
from landline_protocol.errors import FailCode, LocalProtocolError, RemoteProtocolError
from landline_protocol.frames import (
    Accept,
    Ack,
    Batch,
    Bye,
    Chunk,
    Hello,
    Item,
    Text,
    Welcome,
    decode,
    encode_batch,
    encode_item,
    encode_texts,
    split_items,
)
from landline_protocol.limits import (
    BATCH_ITEMS_MAX,
    CHUNK_MAX,
    NUMBER_MAX,
    TEXT_MAX,
    WINDOW_MAX,
    WINDOW_MIN,
)
from landline_protocol.link import Link, LinkState, Role

ID = bytes(range(16))
AT = 1_700_000_000_000
NOTHING = {role: hashlib.sha256(ID + bytes((role.value,))).digest() for role in Role}


def batch_of(first: int, *items: Item) -> Batch:
    return read(encode_batch(chunk_of(first, *items)))


def chunk_of(first: int, *items: Item) -> Chunk:
    return Chunk(first, len(items), b"".join(map(encode_item, items)))


def read(octets: bytes) -> Batch:
    frame = decode(octets)
    assert isinstance(frame, Batch)
    return frame


def digest_of(role: Role, *texts: str) -> bytes:
    items = b"".join(encode_item(Text(AT, text)) for text in texts)
    return hashlib.sha256(ID + bytes((role.value,)) + items).digest()


def outbound(window: int = WINDOW_MIN) -> Outbound:
    """Return a new direction over an open link."""
    out = Outbound(ID, Role.CALLER)
    assert out.resume(1, window) == 0
    return out


def inbound(window: int = WINDOW_MIN) -> Inbound:
    heard = Inbound(ID, Role.CALLER)
    heard.resume(window)
    return heard


def say(out: Outbound, *texts: str) -> list[Chunk]:
    return out.say([Text(AT, text) for text in texts])


def firsts(frames: list[bytes]) -> list[int]:
    return [read(octets).first for octets in frames]


def breach(act: Callable[[], object]) -> FailCode:
    with pytest.raises(RemoteProtocolError) as caught:
        act()
    return caught.value.code


def bye_after(*texts: str, heard_number: int = 0) -> Bye:
    return Bye(AT, digest_of(Role.CALLER, *texts), heard_number, NOTHING[Role.CALLEE])


# What one says.


def outbound_in(state: OutboundState) -> Outbound:
    out = outbound()
    if state is OutboundState.ERROR:
        breach(lambda: out.confirm(Ack(1, 0)))
    elif state is not OutboundState.OPEN:
        out.bye(AT, 0, NOTHING[Role.CALLEE])
        out.batches()
    if state is OutboundState.CONFIRMED:
        out.confirm(Ack(1, 0))
    assert out.state is state
    return out


@pytest.mark.parametrize("move", OutboundMove)
@pytest.mark.parametrize("state", OutboundState)
def test_every_outbound_move_is_in_the_table_or_raises(
    state: OutboundState, move: OutboundMove
) -> None:
    out = outbound_in(state)
    acts: dict[OutboundMove, Callable[[], object]] = {
        OutboundMove.SAY: lambda: say(out, "hello"),
        OutboundMove.SAY_BYE: lambda: out.bye(AT, 0, NOTHING[Role.CALLEE]),
        OutboundMove.CONFIRM: lambda: out.confirm(Ack(0, WINDOW_MIN)),
        OutboundMove.CONFIRM_BYE: lambda: out.confirm(Ack(out.said, WINDOW_MIN)),
    }
    following = OUTBOUND[state].get(move)
    if following is not None:
        acts[move]()
        assert out.state is following
    elif move is OutboundMove.CONFIRM_BYE and state is not OutboundState.ERROR:
        # Without a bye under way the same ack is an ordinary one.
        acts[move]()
        assert out.state is OUTBOUND[state][OutboundMove.CONFIRM]
    else:
        with pytest.raises(LocalProtocolError, match=f"in state {state.name.lower()}"):
            acts[move]()
        assert out.state is state


def test_the_outbound_table_has_a_row_for_every_state() -> None:
    assert set(OUTBOUND) == set(OutboundState)


def test_texts_and_the_bye_are_numbered_from_one() -> None:
    out = outbound()
    one, two = Text(AT, "one"), Text(AT, "two")
    chunks = [*say(out, "one", "two"), out.bye(AT, 0, NOTHING[Role.CALLEE])]
    assert chunks == [chunk_of(1, one, two), chunk_of(3, bye_after("one", "two"))]
    assert [chunk.last for chunk in chunks] == [2, 3]
    assert (out.said, out.texts, out.sent, out.confirmed, out.unconfirmed) == (3, 2, 0, 0, 2)
    assert out.waiting_octets == sum(len(chunk.octets) for chunk in chunks)
    assert out.batches() == [encode_batch(chunk) for chunk in chunks]
    assert (out.sent, out.waiting_octets) == (3, 0)
    assert out.batches() == []


def test_nothing_said_is_no_chunk() -> None:
    out = outbound()
    assert out.say([]) == []
    assert (out.said, out.batches()) == (0, [])


def test_a_bye_is_never_an_unconfirmed_text_not_even_after_an_error() -> None:
    out = outbound()
    say(out, "one")
    out.bye(AT, 0, NOTHING[Role.CALLEE])
    out.batches()
    assert out.confirm(Ack(1, WINDOW_MIN)) == 1
    assert (out.texts, out.unconfirmed) == (1, 0)
    assert breach(lambda: out.confirm(Ack(3, WINDOW_MIN))) is FailCode.OUT_OF_ORDER
    assert (out.texts, out.unconfirmed) == (1, 0)
    with pytest.raises(LocalProtocolError):
        out.confirm(Ack(2, WINDOW_MIN))


@pytest.mark.parametrize("upto", [2, 3, NUMBER_MAX])
def test_an_ack_for_what_waits_or_is_not_even_said_is_a_lie(upto: int) -> None:
    out = outbound(64)
    say(out, "one")
    say(out, "x" * 64)
    assert len(out.batches()) == 1
    assert breach(lambda: out.confirm(Ack(upto, WINDOW_MAX))) is FailCode.OUT_OF_ORDER


def test_an_ack_that_was_overtaken_changes_nothing() -> None:
    out = outbound(50)
    for _ in range(4):
        say(out, "four")
    size = len(encode_item(Text(AT, "four")))
    assert firsts(out.batches()) == [1, 2, 3]
    assert out.sent == 50 // size == 3
    assert out.confirm(Ack(3, 0)) == 3
    assert out.confirm(Ack(1, WINDOW_MAX)) == 0
    assert out.batches() == []
    assert out.confirm(Ack(3, size - 1)) == 0
    assert out.batches() == []
    assert out.confirm(Ack(3, size)) == 0
    assert firsts(out.batches()) == [4]


def test_what_was_once_offered_is_not_taken_back() -> None:
    """Two acks that change places, or a far end that breaks the rule, cost no progress."""
    out = outbound()
    say(out, "one")
    out.batches()
    assert out.confirm(Ack(1, WINDOW_MIN)) == 1
    assert out.confirm(Ack(1, 0)) == 0
    say(out, "x" * TEXT_MAX)
    assert len(out.batches()) == 1


def test_the_window_holds_items_back_to_the_octet() -> None:
    size = len(encode_item(Text(AT, "x" * 100)))
    out = outbound(3 * size)
    for _ in range(5):
        say(out, "x" * 100)
    assert firsts(out.batches()) == [1, 2, 3]
    assert out.waiting_octets == 2 * size
    assert out.confirm(Ack(1, 3 * size - 1)) == 1
    assert out.batches() == []
    assert out.confirm(Ack(2, 3 * size - 1)) == 1
    assert firsts(out.batches()) == [4]


def test_the_bye_waits_for_the_window_too() -> None:
    size = len(encode_item(Text(AT, "one")))
    out = outbound(size)
    say(out, "one")
    out.bye(AT, 0, NOTHING[Role.CALLEE])
    assert [len(read(octets).items) for octets in out.batches()] == [1]
    assert out.confirm(Ack(1, 200)) == 1
    assert [read(octets).items for octets in out.batches()] == [[bye_after("one")]]
    assert out.confirm(Ack(2, 0)) == 1
    assert out.state is OutboundState.CONFIRMED


def test_a_chunk_takes_texts_until_the_next_would_pass_its_limits() -> None:
    out = outbound(WINDOW_MAX)
    chunks = say(out, *[""] * (BATCH_ITEMS_MAX + 1))
    assert [(chunk.first, chunk.count) for chunk in chunks] == [(1, 4_096), (4_097, 1)]
    chunks = say(out, *["x" * TEXT_MAX] * 3)
    assert [(chunk.count, len(chunk.octets)) for chunk in chunks] == [(1, CHUNK_MAX)] * 3
    half = CHUNK_MAX // 2 - len(encode_item(Text(AT, "x" * 300))) + 300
    chunks = say(out, *["x" * half] * 5)
    assert [chunk.count for chunk in chunks] == [2, 2, 1]
    assert len(chunks[0].octets) == CHUNK_MAX
    chunks = say(out, "x" * half, "x" * (half + 1), "x")
    assert [chunk.count for chunk in chunks] == [1, 2]
    assert "".join(item.text for item in texts_of(chunks)) == "x" * (2 * half + 2)
    assert [len(read(octets).items) for octets in out.batches()][-2:] == [1, 2]


def texts_of(chunks: list[Chunk]) -> list[Text]:
    items = [item for chunk in chunks for item in read(encode_batch(chunk)).items]
    return [item for item in items if isinstance(item, Text)]


@given(st.lists(st.text(max_size=30) | st.integers(1, TEXT_MAX).map("x".__mul__), max_size=40))
def test_chunks_hold_what_was_said_and_are_no_longer_than_they_may_be(texts: list[str]) -> None:
    out = outbound(WINDOW_MAX)
    chunks = say(out, *texts)
    assert [item.text for item in texts_of(chunks)] == texts
    assert b"".join(chunk.octets for chunk in chunks) == encode_texts([Text(AT, t) for t in texts])
    for before, chunk in zip([None, *chunks], chunks, strict=False):
        assert chunk.first == (before.last + 1 if before else 1)
        first = len(encode_item(texts_of([chunk])[0]))
        assert len(chunk.octets) <= CHUNK_MAX
        assert before is None or len(before.octets) + first > CHUNK_MAX


@pytest.mark.parametrize(
    "text", ["x" * (TEXT_MAX + 1), "é" * (TEXT_MAX // 2 + 1), "\ud800"], ids=ascii
)
def test_what_cannot_be_said_is_found_before(text: str) -> None:
    with pytest.raises(UnfitText):
        check_text(text)


@pytest.mark.parametrize("text", ["", "x" * TEXT_MAX, "é" * (TEXT_MAX // 2), "☎" * 21_845])
def test_a_text_that_fits_is_fit(text: str) -> None:
    check_text(text)


@given(st.lists(st.integers(1, CHUNK_MAX // 2) | st.integers(CHUNK_MAX, CHUNK_MAX + 9), max_size=9))
def test_joined_chunks_are_the_same_items_in_as_few_as_may_be(sizes: list[int]) -> None:
    chunks = [Chunk(number, 1, b"x" * size) for number, size in enumerate(sizes, 5)]
    runs = joined(iter(chunks))
    assert b"".join(run.octets for run in runs) == b"x" * sum(sizes)
    assert [run.first for run in runs] == [5, *(run.last + 1 for run in runs)][: len(runs)]
    assert sum(run.count for run in runs) == len(sizes)
    assert all(run.count == 1 or len(run.octets) <= CHUNK_MAX for run in runs)
    # The next one would not have fitted.
    for run, following in pairwise(runs):
        assert len(run.octets) + sizes[following.first - 5] > CHUNK_MAX


def test_no_more_items_are_joined_than_a_chunk_holds() -> None:
    half = BATCH_ITEMS_MAX // 2
    chunks = [Chunk(1 + half * each, half, b"x") for each in range(3)]
    assert [run.count for run in joined(chunks)] == [BATCH_ITEMS_MAX, half]


def test_nothing_is_said_after_bye() -> None:
    out = outbound_in(OutboundState.CLOSING)
    with pytest.raises(LocalProtocolError, match="say in state closing"):
        say(out, "wait")
    assert out.texts == 0


# Over the next link, and after a new start.


def spoken(*texts: str) -> Outbound:
    """Return a direction of one chunk for all texts, which a link has carried."""
    out = outbound()
    say(out, *texts)
    out.batches()
    return out


def test_what_is_said_between_links_waits_for_the_next() -> None:
    out = Outbound(ID, Role.CALLER)
    chunks = say(out, "one", "two")
    assert out.batches() == []
    assert out.waiting_octets == len(chunks[0].octets)
    assert out.resume(1, WINDOW_MIN) == 0
    assert firsts(out.batches()) == [1]
    out.suspend()
    say(out, "three")
    out.bye(AT, 0, NOTHING[Role.CALLEE])
    assert out.batches() == []
    assert (out.sent, out.said) == (2, 4)
    assert out.resume(3, WINDOW_MIN) == 2
    assert firsts(out.batches()) == [3, 4]


def test_what_a_link_has_carried_is_under_way_until_it_is_confirmed() -> None:
    out = Outbound(ID, Role.CALLER)
    say(out, "one", "two")
    steps: list[tuple[Callable[[], object], bool]] = [
        (lambda: out.resume(1, WINDOW_MIN), False),
        (out.batches, True),
        (lambda: out.confirm(Ack(1, WINDOW_MIN)), True),
        (out.suspend, False),
        (lambda: out.resume(2, WINDOW_MIN), False),
        (out.batches, True),
        (lambda: out.confirm(Ack(2, WINDOW_MIN)), False),
    ]
    for step, under_way in steps:
        step()
        assert out.under_way is under_way


def test_what_is_sent_again_is_what_was_sent() -> None:
    out = spoken("one", "two")
    say(out, "three")
    first = chunk_of(1, text("one"), text("two"))
    assert out.resume(1, WINDOW_MIN) == 0
    assert out.waiting_octets == sum(len(encode_item(text(t))) for t in ("one", "two", "three"))
    assert out.batches() == [encode_batch(first), encode_batch(chunk_of(3, text("three")))]
    assert out.sent == 3


def text(said: str) -> Text:
    return Text(AT, said)


def test_a_number_inside_a_chunk_cuts_it() -> None:
    out = spoken("one", "two", "three")
    assert out.resume(2, WINDOW_MIN) == 1
    assert out.waiting_octets == len(encode_item(text("two")) + encode_item(text("three")))
    assert out.batches() == [encode_batch(chunk_of(2, text("two"), text("three")))]
    assert out.confirm(Ack(2, WINDOW_MIN)) == 1
    out.suspend()
    assert out.resume(3, len(encode_item(text("three")))) == 0
    assert out.batches() == [encode_batch(chunk_of(3, text("three")))]
    assert out.confirm(Ack(3, WINDOW_MIN)) == 1
    assert (out.confirmed, out.unconfirmed, out.waiting_octets) == (3, 0, 0)


def test_the_window_of_a_link_begins_at_its_number() -> None:
    size = len(encode_item(text("four")))
    out = outbound(3 * size)
    for _ in range(5):
        say(out, "four")
    assert firsts(out.batches()) == [1, 2, 3]
    out.resume(2, 2 * size)
    assert firsts(out.batches()) == [2, 3]
    out.confirm(Ack(3, size))
    assert firsts(out.batches()) == [4]
    out.resume(5, 0)
    assert out.batches() == []


@pytest.mark.parametrize("number", [1, 2, 5, NUMBER_MAX])
def test_a_number_that_cannot_be_expected_ends_the_conversation(number: int) -> None:
    out = spoken("one", "two", "three")
    out.confirm(Ack(2, WINDOW_MIN))
    say(out, "said, but never sent")
    out.suspend()
    assert breach(lambda: out.resume(number, WINDOW_MIN)) is FailCode.UNKNOWN_CONVERSATION
    assert (out.state, out.unconfirmed) == (OutboundState.ERROR, 2)
    for again in (3, number):
        with pytest.raises(LocalProtocolError, match="in state error"):
            out.resume(again, WINDOW_MIN)


def test_a_late_ack_between_links_counts_but_opens_no_window() -> None:
    out = spoken("one", "two")
    out.suspend()
    say(out, "three")
    assert out.confirm(Ack(1, WINDOW_MAX)) == 1
    assert out.batches() == []
    assert out.waiting_octets == len(encode_item(text("two")) + encode_item(text("three")))
    assert breach(lambda: out.confirm(Ack(3, WINDOW_MAX))) is FailCode.OUT_OF_ORDER


def test_an_ack_on_a_link_is_for_what_this_link_carried() -> None:
    out = spoken("one", "two")
    out.resume(2, 1)
    assert out.batches() == []
    assert breach(lambda: out.confirm(Ack(2, WINDOW_MAX))) is FailCode.OUT_OF_ORDER


def test_a_number_beyond_the_bye_confirms_it() -> None:
    out = spoken("one")
    out.bye(AT, 0, NOTHING[Role.CALLEE])
    out.batches()
    assert out.resume(3, WINDOW_MIN) == 2
    assert (out.state, out.batches()) == (OutboundState.CONFIRMED, [])
    assert out.resume(3, WINDOW_MIN) == 0


def stored(*texts: str, bye: bool) -> list[Chunk]:
    """Return a direction as a journal holds it, in chunks of two texts."""
    out = Outbound(ID, Role.CALLER)
    chunks = [each for k in range(0, len(texts), 2) for each in say(out, *texts[k : k + 2])]
    return [*chunks, out.bye(AT, 0, NOTHING[Role.CALLEE])] if bye else chunks


@given(st.integers(0, 5), st.booleans(), st.data())
def test_a_restored_direction_goes_on_as_if_nothing_had_been(
    count: int, bye: bool, data: st.DataObject
) -> None:
    texts = [f"text {number}" for number in range(count)]
    chunks = stored(*texts, bye=bye)
    items = count + bye
    confirmed = data.draw(st.integers(0, items))
    number = data.draw(st.integers(confirmed + 1, items + 1))
    out, heard = Outbound(ID, Role.CALLER), Inbound(ID, Role.CALLER)
    out.restore(iter(chunks), confirmed)
    assert (out.said, out.sent, out.texts) == (items, items, count)
    assert (out.confirmed, out.unconfirmed) == (confirmed, max(0, count - confirmed))
    states = [OutboundState.OPEN, OutboundState.CLOSING, OutboundState.CONFIRMED]
    assert out.state is states[bye and 1 + (confirmed == items)]
    assert out.batches() == []
    assert out.waiting_octets == len(octets_of(chunks, confirmed))

    heard.restore(cut_at(chunks, number - 1))
    assert heard.heard == number - 1
    heard.resume(WINDOW_MIN)
    assert out.resume(number, WINDOW_MIN) == number - 1 - confirmed
    for octets in out.batches():
        heard.hear(read(octets))
    if not bye:
        say(out, "more")
        out.bye(AT, 0, NOTHING[Role.CALLEE])
        for octets in out.batches():
            heard.hear(read(octets))
        texts.append("more")
    assert heard.state is InboundState.CLOSED
    assert heard.digest == digest_of(Role.CALLER, *texts)


def octets_of(chunks: list[Chunk], known: int) -> bytes:
    items = [each for chunk in chunks for each in split_items(chunk.octets, chunk.count)]
    return b"".join(items[known:])


def cut_at(chunks: list[Chunk], upto: int) -> list[Chunk]:
    """Return what a receiver has stored of a direction, in chunks of one item."""
    items = [each for chunk in chunks for each in split_items(chunk.octets, chunk.count)]
    return [Chunk(number, 1, each) for number, each in enumerate(items[:upto], 1)]


def test_a_bye_in_one_chunk_with_texts_is_found() -> None:
    chunk = chunk_of(1, text("one"), bye_after("one"))
    heard, out = Inbound(ID, Role.CALLER), Outbound(ID, Role.CALLER)
    heard.restore([chunk])
    out.restore([chunk], 1)
    assert (heard.state, heard.heard) == (InboundState.CLOSED, 2)
    assert (out.state, out.texts) == (OutboundState.CLOSING, 1)
    assert heard.digest == digest_of(Role.CALLER, "one")
    out.resume(2, WINDOW_MIN)
    assert [read(octets).items for octets in out.batches()] == [[bye_after("one")]]


@pytest.mark.parametrize("kept", [[1], [0, 2], [2, 1, 0]])
def test_a_direction_with_a_hole_is_not_restored(kept: list[int]) -> None:
    chunks = stored(*"abcdef", bye=False)
    for machine in (Inbound(ID, Role.CALLER), Outbound(ID, Role.CALLER)):
        holed = [chunks[place] for place in kept]
        with pytest.raises(LocalProtocolError, match="is stored after item"):
            machine.restore(holed) if isinstance(machine, Inbound) else machine.restore(holed, 0)


def test_what_is_confirmed_must_be_there() -> None:
    out = Outbound(ID, Role.CALLER)
    with pytest.raises(LocalProtocolError, match="3 items are confirmed, 2 stored"):
        out.restore(stored("one", "two", bye=False), 3)


def test_nothing_is_said_after_a_new_start_before_the_others_number_is_known() -> None:
    """Else a number could be given twice: the storage may have lost what was said last."""
    out = Outbound(ID, Role.CALLER)
    out.restore(stored("one", bye=False), 0)
    out.suspend()
    acts: list[Callable[[], object]] = [lambda: say(out, "two"), lambda: out.bye(AT, 0, bytes(32))]
    for act in acts:
        with pytest.raises(LocalProtocolError, match="before the other side's number"):
            act()
    assert breach(lambda: out.resume(3, WINDOW_MIN)) is FailCode.UNKNOWN_CONVERSATION
    out = Outbound(ID, Role.CALLER)
    out.restore(stored("one", bye=False), 0)
    assert out.resume(2, WINDOW_MIN) == 1
    assert say(out, "two") == [chunk_of(2, text("two"))]
    out.suspend()
    say(out, "three")


# What their bye says about what one said.


@pytest.mark.parametrize(
    ("heard_number", "heard"),
    [(2, digest_of(Role.CALLER, "one", "two")), (1, b"?" * 32), (0, NOTHING[Role.CALLER])],
)
def test_their_bye_agrees_or_crossed_ours_texts(heard_number: int, heard: bytes) -> None:
    out = spoken("one", "two")
    out.check_agreement(Bye(AT, b"?" * 32, heard_number, heard))
    assert out.state is OutboundState.OPEN


@pytest.mark.parametrize(
    ("heard_number", "heard"),
    [
        (2, digest_of(Role.CALLER, "one")),
        (2, digest_of(Role.CALLEE, "one", "two")),
        (3, digest_of(Role.CALLER, "one", "two")),
        (NUMBER_MAX, digest_of(Role.CALLER, "one", "two")),
    ],
)
def test_their_bye_disagrees(heard_number: int, heard: bytes) -> None:
    out = spoken("one", "two")
    bye = Bye(AT, b"?" * 32, heard_number, heard)
    assert breach(lambda: out.check_agreement(bye)) is FailCode.DISAGREEMENT
    assert out.state is OutboundState.ERROR


def test_their_bye_cannot_have_heard_what_waits() -> None:
    out = outbound(1)
    say(out, "one")
    bye = Bye(AT, b"?" * 32, 1, digest_of(Role.CALLER, "one"))
    assert breach(lambda: out.check_agreement(bye)) is FailCode.DISAGREEMENT


def test_their_bye_may_have_heard_ours() -> None:
    out = spoken("one")
    out.bye(AT, 0, NOTHING[Role.CALLEE])
    out.batches()
    out.check_agreement(Bye(AT, b"?" * 32, 2, digest_of(Role.CALLER, "one")))
    wrong = Bye(AT, b"?" * 32, 2, digest_of(Role.CALLER))
    assert breach(lambda: out.check_agreement(wrong)) is FailCode.DISAGREEMENT


# What one hears.


def inbound_in(state: InboundState) -> Inbound:
    heard = inbound()
    heard.hear(batch_of(1, Text(AT, "one")))
    if state is InboundState.CLOSED:
        heard.hear(batch_of(2, bye_after("one")))
    elif state is InboundState.ERROR:
        breach(lambda: heard.hear(batch_of(9, Text(AT, "nine"))))
    assert heard.state is state
    return heard


@pytest.mark.parametrize("move", InboundMove)
@pytest.mark.parametrize("state", InboundState)
def test_every_inbound_move_is_in_the_table_or_raises(
    state: InboundState, move: InboundMove
) -> None:
    heard = inbound_in(state)
    batch = {
        InboundMove.HEAR: batch_of(heard.heard + 1, Text(AT, "next")),
        InboundMove.HEAR_BYE: batch_of(heard.heard + 1, bye_after("one")),
        InboundMove.HEAR_AGAIN: batch_of(1, Text(AT, "one")),
    }[move]
    following = INBOUND[state].get(move)
    if following is not None:
        heard.hear(batch)
        assert heard.state is following
    elif state is InboundState.ERROR:
        with pytest.raises(LocalProtocolError, match="has failed"):
            heard.hear(batch)
    else:
        assert breach(lambda: heard.hear(batch)) is FailCode.OUT_OF_ORDER
        assert heard.state is InboundState.ERROR


def test_the_inbound_table_has_a_row_for_every_state() -> None:
    assert set(INBOUND) == set(InboundState)


def test_new_items_are_returned_once_in_order() -> None:
    heard = inbound()
    one, two, three = (Text(AT, text) for text in ("one", "two", "three"))
    assert heard.hear(batch_of(1, one, two)).items == [one, two]
    assert heard.hear(batch_of(1, one, two)).items == []
    assert heard.hear(batch_of(2, two, three)).items == [three]
    bye = bye_after("one", "two", "three")
    assert heard.hear(batch_of(3, three, bye)).items == [bye]
    assert heard.hear(batch_of(1, one, two, three, bye)).items == []
    assert heard.heard == 4
    assert heard.octets == sum(len(encode_item(item)) for item in (one, two, three, bye))
    assert heard.digest == digest_of(Role.CALLER, "one", "two", "three")


def test_what_was_heard_is_not_heard_otherwise() -> None:
    heard = inbound()
    heard.hear(batch_of(1, Text(AT, "one")))
    assert heard.hear(batch_of(1, Text(AT, "not one"))).items == []
    assert heard.digest == digest_of(Role.CALLER, "one")


def test_the_digest_is_the_one_of_the_definition() -> None:
    assert fresh_digest(ID, Role.CALLEE).digest() == NOTHING[Role.CALLEE]
    assert inbound().digest == NOTHING[Role.CALLER] != NOTHING[Role.CALLEE]


@pytest.mark.parametrize(
    "items",
    [
        [bye_after(), Text(AT, "late")],
        [bye_after(), bye_after()],
        [Text(AT, "one"), bye_after("one"), Text(AT, "late"), bye_after("one")],
    ],
)
def test_nothing_follows_a_bye_in_its_batch(items: list[Item]) -> None:
    heard = inbound()
    assert breach(lambda: heard.hear(batch_of(1, *items))) is FailCode.OUT_OF_ORDER


def test_an_item_after_the_bye_is_that_even_if_its_digest_is_wrong_and_it_is_too_long() -> None:
    heard = inbound_in(InboundState.CLOSED)
    assert breach(lambda: heard.hear(batch_of(3, bye_after("?")))) is FailCode.OUT_OF_ORDER
    heard = inbound_in(InboundState.CLOSED)
    long = Text(AT, "x" * TEXT_MAX)
    batch = batch_of(1, Text(AT, "one"), bye_after("one"), long)
    assert breach(lambda: heard.hear(batch)) is FailCode.OUT_OF_ORDER


@pytest.mark.parametrize("first", [2, 3, NUMBER_MAX - 1])
def test_missing_items_are_noticed(first: int) -> None:
    heard = inbound()
    assert breach(lambda: heard.hear(batch_of(first, Text(AT, "?")))) is FailCode.OUT_OF_ORDER
    assert heard.heard == 0


@pytest.mark.parametrize("texts", [(), ("two",), ("one", "one"), ("one", "two")])
def test_a_bye_with_another_digest_is_a_disagreement(texts: tuple[str, ...]) -> None:
    heard = inbound()
    batch = batch_of(1, Text(AT, "one"), bye_after(*texts))
    assert breach(lambda: heard.hear(batch)) is FailCode.DISAGREEMENT


# The window of what one hears.


def test_the_window_is_open_to_its_last_octet() -> None:
    item = Text(AT, "x" * 100)
    size = len(encode_item(item))
    heard = inbound(2 * size)
    heard.hear(batch_of(1, item, item))
    heard.hear(batch_of(1, item, item))  # known: needs no room
    assert breach(lambda: heard.hear(batch_of(3, Text(AT, "")))) is FailCode.OVERRUN


def test_the_bye_needs_room_like_any_item() -> None:
    heard = inbound(len(encode_item(bye_after())) - 1)
    assert breach(lambda: heard.hear(batch_of(1, bye_after()))) is FailCode.OVERRUN


def test_an_ack_moves_the_edge_and_so_does_a_mere_update_of_the_window() -> None:
    item = Text(AT, "x" * 100)
    size = len(encode_item(item))
    heard = inbound(size)
    heard.hear(batch_of(1, item))
    heard.acknowledged(Ack(1, 0))
    heard.acknowledged(Ack(1, size))
    heard.hear(batch_of(2, item))
    heard.acknowledged(Ack(2, size - 1))
    assert breach(lambda: heard.hear(batch_of(3, item))) is FailCode.OVERRUN


def test_the_edge_that_was_offered_once_holds() -> None:
    item = Text(AT, "x" * 100)
    size = len(encode_item(item))
    heard = inbound(2 * size)
    heard.hear(batch_of(1, item))
    heard.acknowledged(Ack(1, 0))
    heard.hear(batch_of(2, item))


def test_one_ack_for_several_batches() -> None:
    item = Text(AT, "x" * 100)
    size = len(encode_item(item))
    heard = inbound(3 * size)
    for number in (1, 2, 3):
        heard.hear(batch_of(number, item))
    heard.acknowledged(Ack(2, size))
    heard.acknowledged(Ack(3, size))
    heard.hear(batch_of(4, item))
    assert breach(lambda: heard.hear(batch_of(5, item))) is FailCode.OVERRUN


def test_an_ack_of_ours_ends_where_a_batch_ended_and_never_goes_back() -> None:
    heard = inbound()
    heard.acknowledged(Ack(0, WINDOW_MIN))
    heard.hear(batch_of(1, Text(AT, "one"), Text(AT, "two")))
    for upto in (1, 3):
        with pytest.raises(LocalProtocolError, match=f"an ack up to {upto}"):
            heard.acknowledged(Ack(upto, WINDOW_MIN))
    heard.acknowledged(Ack(2, WINDOW_MIN))
    with pytest.raises(LocalProtocolError, match="up to 0 where a batch ends at 2"):
        heard.acknowledged(Ack(0, WINDOW_MIN))


def test_a_new_link_gives_the_window_anew_and_forgets_what_the_old_one_owed() -> None:
    item = Text(AT, "x" * 100)
    size = len(encode_item(item))
    heard = inbound(2 * size)
    heard.hear(batch_of(1, item))
    heard.hear(batch_of(2, item))
    heard.resume(size)
    with pytest.raises(LocalProtocolError, match="where a batch ends at 2"):
        heard.acknowledged(Ack(1, 0))
    heard.acknowledged(Ack(2, size))
    new = heard.hear(batch_of(2, item, item))
    assert (new.first, new.items, new.octets) == (3, [item], encode_item(item))
    assert breach(lambda: heard.hear(batch_of(4, item))) is FailCode.OVERRUN
    with pytest.raises(LocalProtocolError, match="has failed"):
        heard.resume(WINDOW_MIN)


def test_nothing_can_be_heard_before_a_link_is_open() -> None:
    heard = Inbound(ID, Role.CALLER)
    assert breach(lambda: heard.hear(batch_of(1, text("one")))) is FailCode.OVERRUN


# Receipts.


def test_the_window_shrinks_with_what_is_stored_and_grows_with_what_is_read() -> None:
    receipts = Receipts(1_000)
    assert receipts.ack() == Ack(0, 1_000)
    receipts.store(3, 600)
    assert receipts.ack() == Ack(3, 400)
    assert not receipts.read(249)
    assert receipts.read(1)
    assert receipts.ack() == Ack(3, 650)
    assert not receipts.read(249)
    receipts.store(4, 101)
    assert receipts.ack() == Ack(4, 798)
    receipts.store(5, 798)
    assert receipts.ack() == Ack(5, 0)
    assert receipts.stored == 5


def test_an_ack_counts_as_news_of_the_window() -> None:
    receipts = Receipts(1_000)
    receipts.store(1, 500)
    receipts.ack()
    assert not receipts.read(200)
    receipts.ack()
    assert not receipts.read(200)


def test_a_new_link_offers_what_room_there_is() -> None:
    receipts = Receipts(WINDOW_MAX)
    receipts.store(3, 1_000)
    assert receipts.resume() == WINDOW_MAX - 1_000
    assert receipts.ack() == Ack(3, WINDOW_MAX - 1_000)


def test_a_new_link_is_lent_the_smallest_window_and_reading_pays_for_it() -> None:
    receipts = Receipts(WINDOW_MIN)
    receipts.store(3, WINDOW_MIN)
    for _ in range(3):
        assert receipts.resume() == WINDOW_MIN
    receipts.store(4, WINDOW_MIN)
    assert receipts.ack() == Ack(4, 0)
    assert not receipts.read(WINDOW_MIN)
    assert receipts.ack() == Ack(4, 0)
    assert receipts.read(WINDOW_MIN)
    assert receipts.ack() == Ack(4, WINDOW_MIN)


def test_no_link_is_lent_more_before_what_was_lent_is_paid_back() -> None:
    receipts = Receipts(WINDOW_MIN)
    receipts.store(3, WINDOW_MIN)
    assert receipts.resume() == WINDOW_MIN
    receipts.store(4, 10)
    with pytest.raises(LocalProtocolError, match="waits to be read"):
        receipts.resume()
    assert [(receipts.read(octets), receipts.crowded) for octets in (9, 1)] == [
        (False, True),
        (False, False),
    ]
    assert receipts.resume() == WINDOW_MIN


def test_after_the_bye_any_link_can_be_offered_a_window() -> None:
    """Nothing can come by it."""
    receipts = Receipts(WINDOW_MIN)
    receipts.store(3, WINDOW_MIN)
    receipts.resume()
    receipts.store(4, WINDOW_MIN)
    receipts.end()
    assert not receipts.crowded
    assert receipts.resume() == WINDOW_MIN


@given(
    window=st.integers(WINDOW_MIN, 2 * WINDOW_MIN),
    acts=st.lists(st.tuples(st.sampled_from(["fill", "read", "resume"]), st.integers(0, 100))),
)
def test_whoever_resumes_again_and_again_fills_no_more_than_one_window_more(
    window: int, acts: list[tuple[str, int]]
) -> None:
    """What waits to be read is bounded; and a reader that gets on lets the next link come."""
    receipts = Receipts(window)
    edge, stored, unread = window, 0, 0
    for act, share in acts:
        if act == "fill":
            octets = (edge - stored) * share // 100
            stored += octets
            unread += octets
            receipts.store(stored, octets)
        elif act == "read":
            octets = unread * share // 100
            unread -= octets
            receipts.read(octets)
        elif not receipts.crowded:
            offered = receipts.resume()
            assert offered >= WINDOW_MIN
            edge = max(edge, stored + offered)
        assert stored + receipts.ack().window >= edge, "an edge moved left"
        edge = stored + receipts.ack().window
        assert unread <= window + WINDOW_MIN
        assert receipts.crowded == (unread > window)


def test_what_was_stored_before_a_new_start_has_been_read() -> None:
    receipts = Receipts(WINDOW_MIN)
    receipts.restore(7)
    assert receipts.stored == 7
    assert receipts.resume() == WINDOW_MIN
    assert receipts.ack() == Ack(7, WINDOW_MIN)


# Back to back.


class Side:
    """One end of a conversation in memory, with all four machines.

    What it hears goes through three heaps, each emptied when the test likes:
    heard, stored, read.
    """

    def __init__(self, role: Role, window: int, their_window: int) -> None:
        self.link = Link(role)
        self.outbound = Outbound(ID, role)
        self.outbound.resume(1, their_window)
        self.inbound = Inbound(ID, role.other)
        self.inbound.resume(window)
        self.receipts = Receipts(window)
        self.unstored: deque[tuple[int, int]] = deque()
        self.unread = 0
        self.said: list[str] = []
        self.heard: list[str] = []
        self.wire: deque[bytes] = deque()
        self.old_batches: list[bytes] = []
        self.old_acks: list[bytes] = []
        self.bye_heard = False
        self.acknowledged = 0

    def say(self, text: str) -> None:
        if self.outbound.state is OutboundState.OPEN:
            self.said.append(text)
            assert say(self.outbound, text)[-1].last == len(self.said)

    def say_bye(self) -> None:
        if self.outbound.state is OutboundState.OPEN:
            self.outbound.bye(AT, self.inbound.heard, self.inbound.digest)

    def send(self) -> None:
        for octets in self.outbound.batches():
            self.wire.append(self.link.forward(octets))
            self.old_batches.append(octets)

    def take(self, octets: bytes) -> None:
        frame = self.link.receive(octets)
        if isinstance(frame, Ack):
            self.outbound.confirm(frame)
            return
        assert isinstance(frame, Batch)
        before = self.inbound.octets
        for item in self.inbound.hear(frame).items:
            if isinstance(item, Text):
                self.heard.append(item.text)
            else:
                self.bye_heard = True
                self.outbound.check_agreement(item)
        if self.inbound.octets > before:
            self.unstored.append((self.inbound.heard, self.inbound.octets - before))

    def store(self) -> None:
        if self.unstored:
            upto, octets = self.unstored.popleft()
            self.receipts.store(upto, octets)
            self.unread += octets

    def read(self, octets: int) -> None:
        octets = min(octets, self.unread)
        self.unread -= octets
        if self.receipts.read(octets):
            self.acknowledge()

    def acknowledge(self) -> None:
        ack = self.receipts.ack()
        self.acknowledged = ack.upto
        octets = self.link.send(ack)
        self.inbound.acknowledged(ack)
        self.wire.append(octets)
        self.old_acks.append(octets)

    @property
    def finished(self) -> bool:
        return self.bye_heard and self.outbound.state is OutboundState.CONFIRMED


class Pair:
    """Two sides with an open link between them."""

    def __init__(self, caller_window: int, callee_window: int) -> None:
        self.caller = Side(Role.CALLER, caller_window, callee_window)
        self.callee = Side(Role.CALLEE, callee_window, caller_window)
        hello = Hello((1, 1), ID, "alice", "bob", 1, caller_window)
        self.callee.link.receive(self.caller.link.send(hello))
        self.caller.link.receive(self.callee.link.send(Welcome(1, ID, 1, callee_window)))
        self.caller.link.receive(self.callee.link.send(Accept()))

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.caller, self.callee

    def other(self, side: Side) -> Side:
        return self.callee if side is self.caller else self.caller

    def check(self) -> None:
        """Check what holds at any moment."""
        for side in self.sides:
            far = self.other(side)
            assert far.heard == side.said[: len(far.heard)]
            assert side.outbound.confirmed <= far.receipts.stored <= far.inbound.heard
            assert side.outbound.confirmed <= side.outbound.sent <= side.outbound.said

    def settle(self) -> None:
        """Let both say bye and do all that is still to be done, the reading last."""
        for side in self.sides:
            side.say_bye()
        self.quiesce()
        while sum(map(self.read, self.sides)):
            self.quiesce()
        for side in self.sides:
            far = self.other(side)
            assert side.finished
            assert far.heard == side.said
            assert side.outbound.unconfirmed == 0
            assert side.inbound.digest == digest_of(far.link.role, *far.said)
            assert side.link.state is LinkState.OPEN

    def quiesce(self) -> None:
        """Let everything happen but reading."""
        while sum(map(self._move, self.sides)):
            pass

    def _move(self, side: Side) -> bool:
        side.send()
        moved = bool(side.wire)
        while side.wire:
            self.other(side).take(side.wire.popleft())
        while side.unstored:
            side.store()
        if side.receipts.stored > side.acknowledged:
            side.acknowledge()
            moved = True
        return moved

    def read(self, side: Side) -> bool:
        """Read all; an ack follows only if the receipts ask for one."""
        some = side.unread > 0
        side.read(side.unread)
        return some


windows = st.sampled_from([WINDOW_MIN, WINDOW_MIN + 1, WINDOW_MIN + 3, 200_000, 1_048_576])
sizes = st.one_of(
    st.integers(0, 40),
    st.integers(TEXT_MAX - 20, TEXT_MAX),
    st.sampled_from([16_384, 32_750, 32_768, 43_691, 65_000]),
)
steps = st.one_of(
    st.tuples(st.just("say"), sizes),
    st.tuples(st.just("send"), st.just(0)),
    st.tuples(st.just("deliver"), st.integers(1, 4)),
    st.tuples(st.just("store"), st.integers(1, 3)),
    st.tuples(st.just("acknowledge"), st.just(0)),
    st.tuples(st.just("read"), sizes),
    st.tuples(st.just("double batch"), st.integers(0, 9)),
    st.tuples(st.just("old ack"), st.integers(0, 9)),
    st.tuples(st.just("swap acks"), st.just(0)),
)


def make(pair: Pair, side: Side, step: str, amount: int) -> None:
    match step:
        case "say":
            side.say(chr(97 + len(side.said) % 26) * amount)
        case "send":
            side.send()
        case "deliver":
            for _ in range(min(amount, len(side.wire))):
                pair.other(side).take(side.wire.popleft())
        case "store":
            for _ in range(amount):
                side.store()
        case "acknowledge":
            side.acknowledge()
        case "read":
            side.read(amount)
        case "bye":
            side.say_bye()
        case _:
            disturb(side, step, amount)


def disturb(side: Side, step: str, amount: int) -> None:
    """Do to the wire what a link does not, but a program that resends might."""
    if step == "swap acks":
        swap_last_acks(side.wire)
        return
    old = {"double batch": side.old_batches, "old ack": side.old_acks}[step]
    if old:
        side.wire.append(side.link.forward(old[-1 - amount % len(old)]))


def swap_last_acks(wire: deque[bytes]) -> None:
    places = [place for place, octets in enumerate(wire) if octets[0] == 7]
    if len(places) > 1:
        *_, first, second = places
        wire[first], wire[second] = wire[second], wire[first]


@settings(max_examples=150)
@given(windows, windows, st.lists(st.tuples(st.booleans(), steps), max_size=60))
def test_two_sides_end_with_the_same_conversation(
    caller_window: int, callee_window: int, script: list[tuple[bool, tuple[str, int]]]
) -> None:
    """Whatever is doubled, held up, overtaken or read slowly."""
    pair = Pair(caller_window, callee_window)
    for first, (step, amount) in script:
        make(pair, pair.sides[first], step, amount)
        pair.check()
    pair.settle()


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.booleans(), steps), max_size=25),
    st.lists(st.tuples(st.booleans(), steps), max_size=25),
    st.lists(st.tuples(st.booleans(), steps), max_size=25),
)
def test_byes_may_cross_at_any_moment(
    before: list[tuple[bool, tuple[str, int]]],
    between: list[tuple[bool, tuple[str, int]]],
    after: list[tuple[bool, tuple[str, int]]],
) -> None:
    pair = Pair(WINDOW_MIN, WINDOW_MIN)
    for script, speaker in ((before, pair.caller), (between, pair.callee), (after, pair.caller)):
        for first, (step, amount) in script:
            make(pair, pair.sides[first], step, amount)
            pair.check()
        make(pair, speaker, "bye", 0)
    pair.settle()


@settings(max_examples=40)
@given(windows, st.lists(sizes, min_size=20, max_size=60))
def test_a_reader_that_reads_only_when_nothing_else_moves_stops_nobody(
    window: int, lengths: list[int]
) -> None:
    """Zero windows, items that do not quite fit, updates held back below a quarter."""
    pair = Pair(window, window)
    for place, length in enumerate(lengths):
        pair.sides[place % 2].say("x" * length)
    pair.settle()


@pytest.mark.parametrize("window", range(WINDOW_MIN, WINDOW_MIN + 8))
@pytest.mark.parametrize("unannounced", [0, 1, WINDOW_MIN // 4 - 1, WINDOW_MIN // 4])
def test_the_longest_text_always_gets_through_the_smallest_window(
    window: int, unannounced: int
) -> None:
    """The worst case of section 6.4: room has come free that was not worth an ack."""
    pair = Pair(window, window)
    size = len(encode_item(Text(AT, "x" * 300))) - 300
    pair.caller.say("y" * max(0, unannounced - size))
    pair.quiesce()
    pair.read(pair.callee)
    pair.caller.say("x" * TEXT_MAX)
    pair.settle()


@given(st.lists(st.text(max_size=20), min_size=1, max_size=8), st.data())
def test_no_octet_of_a_text_changes_unnoticed(texts: list[str], data: st.DataObject) -> None:
    """Corrupted on its way, an item is refused at once or disagreed with at the bye."""
    out = outbound()
    frames = []
    for text in texts:
        say(out, text)
        frames += out.batches() if data.draw(st.booleans()) else []
    frames += out.batches()
    out.bye(AT, 0, NOTHING[Role.CALLEE])
    frames += out.batches()
    place = data.draw(st.integers(0, len(frames) - 2))
    start = len(frames[place]) - len(read(frames[place]).octets)
    octet = data.draw(st.integers(start, len(frames[place]) - 1))
    corrupted = bytearray(frames[place])
    corrupted[octet] ^= data.draw(st.integers(1, 255))
    frames[place] = bytes(corrupted)

    heard = inbound()
    code = breach(lambda: [heard.hear(read(octets)) for octets in frames])
    assert code in {FailCode.MALFORMED, FailCode.DISAGREEMENT}


@given(st.integers(0, 31), st.integers(1, 255))
def test_no_octet_of_a_digest_changes_unnoticed(place: int, change: int) -> None:
    digest = bytearray(digest_of(Role.CALLER, "one"))
    digest[place] ^= change
    heard = inbound()
    heard.hear(batch_of(1, Text(AT, "one")))
    bye = Bye(AT, bytes(digest), 0, NOTHING[Role.CALLEE])
    assert breach(lambda: heard.hear(batch_of(2, bye))) is FailCode.DISAGREEMENT
    out = spoken("one")
    bye = Bye(AT, bytes(32), 1, bytes(digest))
    assert breach(lambda: out.check_agreement(bye)) is FailCode.DISAGREEMENT


# A hostile far end.

hostile_items = st.lists(
    st.builds(Text, st.just(AT), st.text(max_size=5))
    | st.builds(
        Bye,
        st.just(AT),
        st.sampled_from([NOTHING[Role.CALLER], bytes(32)]),
        st.integers(0, 9),
        st.just(NOTHING[Role.CALLEE]),
    ),
    min_size=1,
    max_size=6,
)


@given(st.lists(st.tuples(st.integers(1, 12), hostile_items), max_size=12))
def test_whatever_is_heard_the_outcome_is_items_or_a_breach(
    batches: list[tuple[int, list[Item]]],
) -> None:
    heard = inbound(400)
    got: list[Item] = []
    for first, items in batches:
        batch = batch_of(first, *items)
        try:
            got += heard.hear(batch).items
        except RemoteProtocolError:
            assert heard.state is InboundState.ERROR
            break
        assert heard.heard == len(got)
        assert heard.octets == sum(len(encode_item(item)) for item in got) <= 400
    byes = [place for place, item in enumerate(got, 1) if isinstance(item, Bye)]
    assert byes in ([], [len(got)])


@given(
    st.lists(st.text(max_size=30), max_size=10),
    st.lists(st.tuples(st.integers(0, 14), st.integers(0, WINDOW_MAX)), max_size=12),
)
def test_whatever_is_acknowledged_the_outcome_is_progress_or_a_breach(
    texts: list[str], acks: list[tuple[int, int]]
) -> None:
    out = outbound(60)
    for text in texts:
        say(out, text)
    for upto, window in acks:
        out.batches()
        before = out.confirmed
        try:
            newly = out.confirm(Ack(upto, window))
        except RemoteProtocolError:
            assert upto > out.sent
            assert out.state is OutboundState.ERROR
            return
        assert out.confirmed == before + newly == max(before, upto)
        assert out.confirmed + out.unconfirmed == out.said


def test_a_flood_of_what_is_known_takes_no_room() -> None:
    heard = inbound()
    batch = batch_of(1, *[Text(AT, "")] * 50)
    heard.hear(batch)
    octets = heard.octets
    for _ in range(1_000):
        assert heard.hear(batch).items == []
    assert (heard.octets, heard.heard) == (octets, 50)


def test_items_in_longer_forms_are_digested_as_they_came() -> None:
    longer = b"\xdc\x00\x03\xcc\x01\xcf" + AT.to_bytes(8, "big") + b"\xdb\x00\x00\x00\x03one"
    heard = inbound()
    batch = read(encode_batch(Chunk(1, 1, longer)))
    assert split_items(batch.octets, 1) == [longer]
    assert heard.hear(batch).items == [Text(AT, "one")]
    assert heard.octets == len(longer)
    digest = hashlib.sha256(ID + b"\x00" + longer).digest()
    assert heard.digest == digest
    heard.hear(batch_of(2, Bye(AT, digest, 0, NOTHING[Role.CALLEE])))


def test_the_head_of_a_batch_is_in_no_digest() -> None:
    item = encode_item(Text(AT, "one"))
    first = b"\x06" + (1).to_bytes(8, "big")
    for head in (b"\x91", b"\xdc\x00\x01"):
        heard = inbound()
        heard.hear(read(first + head + item))
        assert heard.digest == digest_of(Role.CALLER, "one")
        assert heard.octets == len(item)
    with pytest.raises(RemoteProtocolError, match="malformed"):
        decode(first + b"\xdd\x00\x00\x00\x01" + item)
