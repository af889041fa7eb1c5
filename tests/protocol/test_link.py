"""The tables of a link, and the machine that walks them."""

from collections import deque
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline_protocol import VERSION
from landline_protocol.errors import FailCode, LocalProtocolError, RemoteProtocolError
from landline_protocol.frames import (
    Accept,
    Ack,
    Ask,
    Chunk,
    Decline,
    End,
    Fail,
    Hello,
    Kind,
    Refuse,
    Stored,
    Text,
    Welcome,
    decode,
    encode,
    encode_batch,
    encode_item,
)
from landline_protocol.limits import ASKS_MAX, SAY_MAX, WINDOW
from landline_protocol.link import (
    TABLES,
    Direction,
    Link,
    LinkState,
    Move,
    Role,
    choose_version,
)

ID = bytes(range(16))
HELLO = Hello((1, 1), ID, "alice", "bob", 1, WINDOW)
FRAMES: dict[Kind, bytes] = {
    Kind.HELLO: encode(HELLO),
    Kind.WELCOME: encode(Welcome(1, ID, 1, WINDOW)),
    Kind.REFUSE: encode(Refuse("wrong-name", "")),
    Kind.ACCEPT: encode(Accept()),
    Kind.DECLINE: encode(Decline("declined", "")),
    Kind.BATCH: encode_batch(Chunk(1, 1, encode_item(Text(0, "hello")))),
    Kind.ACK: encode(Ack(0, 0)),
    Kind.FAIL: encode(Fail("storage", "")),
    Kind.ASK: encode(Ask(ID)),
    Kind.STORED: encode(Stored(ID, 3)),
    Kind.END: encode(End()),
}
MOVES: list[Move] = list(product(Direction, Kind))
Pair = tuple[LinkState, LinkState, tuple[Kind, ...], tuple[Kind, ...]]
REMOTE, LOCAL = Direction.RECEIVED, Direction.SENT


def make(link: Link, move: Move) -> None:
    direction, kind = move
    if direction is LOCAL:
        assert link.forward(FRAMES[Kind(kind)]) == FRAMES[Kind(kind)]
    else:
        link.receive(FRAMES[Kind(kind)])


def link_in(role: Role, state: LinkState) -> Link:
    """Return a link that has walked to a state by the shortest way."""
    if state is LinkState.ERROR:
        link = Link(role)
        with pytest.raises(RemoteProtocolError):
            link.receive(b"")
        return link
    ways: deque[list[Move]] = deque([[]])
    while True:
        way = ways.popleft()
        link = Link(role)
        for move in way:
            make(link, move)
        if link.state is state:
            return link
        ways.extend([*way, move] for move in TABLES[role][link.state])


@pytest.mark.parametrize("role", Role)
def test_a_table_has_a_row_for_every_state(role: Role) -> None:
    assert set(TABLES[role]) == set(LinkState)


@pytest.mark.parametrize("move", MOVES, ids=lambda move: "-".join(each.name for each in move))
@pytest.mark.parametrize("state", LinkState)
@pytest.mark.parametrize("role", Role)
def test_every_move_is_in_the_table_or_raises(role: Role, state: LinkState, move: Move) -> None:
    link = link_in(role, state)
    if (state, move) == (LinkState.OPEN, (REMOTE, Kind.STORED)):
        link.send(Ask(ID))
    following = TABLES[role][state].get(move)
    if following is not None:
        make(link, move)
        assert link.state is following
    elif move[0] is LOCAL or state is LinkState.ERROR:
        with pytest.raises(LocalProtocolError):
            make(link, move)
        assert link.state is state
    else:
        with pytest.raises(RemoteProtocolError) as caught:
            make(link, move)
        assert caught.value.code is FailCode.UNEXPECTED
        assert link.state is LinkState.ERROR


def test_two_ends_that_keep_to_their_tables_never_surprise_each_other() -> None:
    """Every order of sending and receiving, with up to three frames under way."""
    start: Pair = (LinkState.START, LinkState.START, (), ())
    seen, waiting = {start}, deque([start])
    while waiting:
        for following in _following(*waiting.popleft()):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    reached = {state for each in seen for state in each[:2]}
    assert reached == set(LinkState) - {LinkState.ERROR}


def _following(
    caller: LinkState, callee: LinkState, to_callee: tuple[Kind, ...], to_caller: tuple[Kind, ...]
) -> list[Pair]:
    pairs: list[Pair] = []
    for (direction, kind), state in TABLES[Role.CALLER][caller].items():
        if direction is LOCAL and len(to_callee) < 3:
            pairs.append((state, callee, (*to_callee, Kind(kind)), to_caller))
    for (direction, kind), state in TABLES[Role.CALLEE][callee].items():
        if direction is LOCAL and len(to_caller) < 3:
            pairs.append((caller, state, to_callee, (*to_caller, Kind(kind))))
    if to_caller and caller is not LinkState.CLOSED:
        state = TABLES[Role.CALLER][caller][REMOTE, to_caller[0]]
        pairs.append((state, callee, to_callee, to_caller[1:]))
    if to_callee and callee is not LinkState.CLOSED:
        state = TABLES[Role.CALLEE][callee][REMOTE, to_callee[0]]
        pairs.append((caller, state, to_callee[1:], to_caller))
    return pairs


@given(
    st.sampled_from(Role),
    st.lists(st.binary(max_size=60) | st.sampled_from(list(FRAMES.values())), max_size=8),
)
def test_whatever_comes_is_a_frame_or_ends_the_link(role: Role, received: list[bytes]) -> None:
    link = Link(role)
    for octets in received:
        before = link.state
        try:
            frame = link.receive(octets)
        except RemoteProtocolError:
            assert link.state is LinkState.ERROR
            with pytest.raises(LocalProtocolError):
                link.receive(FRAMES[Kind.FAIL])
            return
        assert frame == decode(octets)
        assert link.state is TABLES[role][before][REMOTE, Kind(octets[0])]


@pytest.mark.parametrize("role", Role)
def test_nothing_is_said_while_an_ask_is_unanswered(role: Role) -> None:
    link = link_in(role, LinkState.OPEN)
    asked = [bytes((number,)) * 16 for number in (1, 2)]
    for conversation in asked:
        assert link.send(Ask(conversation)) == encode(Ask(conversation))
    for conversation in asked:
        assert not link.settled
        with pytest.raises(LocalProtocolError, match="unanswered"):
            link.forward(FRAMES[Kind.BATCH])
        link.forward(FRAMES[Kind.ACK])
        link.send(Stored(ID, 0))
        assert link.receive(encode(Stored(conversation, 1))) == Stored(conversation, 1)
    assert link.settled
    link.forward(FRAMES[Kind.BATCH])


@pytest.mark.parametrize("answers", [[], [bytes(16)]], ids=["other", "twice"])
def test_an_answer_that_nobody_asked_for_is_a_breach(answers: list[bytes]) -> None:
    link = link_in(Role.CALLER, LinkState.OPEN)
    link.send(Ask(bytes(16)))
    for conversation in answers:
        link.receive(encode(Stored(conversation, 1)))
    wrong = encode(Stored(answers[0] if answers else ID, 1))
    with pytest.raises(RemoteProtocolError, match="nobody asked") as caught:
        link.receive(wrong)
    assert caught.value.code is FailCode.UNEXPECTED
    assert link.state is LinkState.ERROR
    farewell = link.farewell(caught.value.code, "")
    assert farewell is not None
    assert farewell[0] == Kind.FAIL


def test_no_more_is_asked_on_one_link_than_the_limit() -> None:
    link = link_in(Role.CALLEE, LinkState.OPEN)
    for number in range(ASKS_MAX):
        link.receive(encode(Ask(number.to_bytes(16))))
    with pytest.raises(RemoteProtocolError, match="asks") as caught:
        link.receive(FRAMES[Kind.ASK])
    assert caught.value.code is FailCode.UNEXPECTED


def test_a_frame_is_encoded_on_its_way_out() -> None:
    link = Link(Role.CALLER)
    assert link.send(HELLO) == FRAMES[Kind.HELLO]
    assert link.state is LinkState.GREETING


@pytest.mark.parametrize(
    ("role", "state", "kind"),
    [
        (Role.CALLER, LinkState.START, None),
        (Role.CALLER, LinkState.GREETING, Kind.FAIL),
        (Role.CALLER, LinkState.RINGING, Kind.FAIL),
        (Role.CALLER, LinkState.OPEN, Kind.FAIL),
        (Role.CALLER, LinkState.CLOSED, None),
        (Role.CALLEE, LinkState.START, Kind.REFUSE),
        (Role.CALLEE, LinkState.GREETING, Kind.REFUSE),
        (Role.CALLEE, LinkState.RINGING, Kind.FAIL),
        (Role.CALLEE, LinkState.OPEN, Kind.FAIL),
        (Role.CALLEE, LinkState.CLOSED, None),
    ],
)
@pytest.mark.parametrize("breach", [False, True], ids=["ours", "theirs"])
def test_a_farewell_is_what_the_table_allows(
    role: Role, state: LinkState, kind: Kind | None, breach: bool
) -> None:
    link = link_in(role, state)
    if breach:
        with pytest.raises(RemoteProtocolError):
            link.receive(b"garbage")
    octets = link.farewell(FailCode.MALFORMED, "x" * (SAY_MAX + 1))
    assert link.state is (LinkState.ERROR if breach else LinkState.CLOSED)
    assert link.farewell(FailCode.MALFORMED, "again") is None
    if kind is None:
        assert octets is None
        return
    assert octets is not None
    assert octets[0] == kind
    frame = decode(octets)
    assert isinstance(frame, Refuse | Fail)
    assert (frame.code, frame.say) == ("malformed", "x" * SAY_MAX)
    assert TABLES[role][state][LOCAL, kind] is LinkState.CLOSED


def test_each_role_is_the_others_other() -> None:
    assert Role.CALLER.other is Role.CALLEE
    assert Role.CALLEE.other is Role.CALLER


@pytest.mark.parametrize("versions", [(1, 1), (1, 2), (1, 65_535)])
def test_a_version_in_common_is_chosen(versions: tuple[int, int]) -> None:
    assert choose_version(Hello(versions, ID, "alice", "bob", 1, WINDOW)) == VERSION


@pytest.mark.parametrize("versions", [(2, 2), (2, 65_535), (2, 1), (65_535, 1)])
def test_no_version_in_common_is_refused(versions: tuple[int, int]) -> None:
    with pytest.raises(RemoteProtocolError, match="protocol 1") as caught:
        choose_version(Hello(versions, ID, "alice", "bob", 1, WINDOW))
    assert caught.value.code is FailCode.VERSION
