"""The two ends of a line: where a caller dials, whom a callee welcomes, one line with each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from landline.ends import Address, Dial, Engagements, Guest, Knocker, Listen
from landline.journal import Beginning, Journal
from landline.letters import Parties
from landline_protocol import VERSION
from landline_protocol.errors import FailCode
from landline_protocol.frames import Chunk, Hello, Refuse, Text, encode_item
from landline_protocol.limits import WINDOW
from landline_protocol.link import Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT, FRESH, CALLED, DONE, DROPPED = (bytes((n,)) * 16 for n in range(1, 6))
KEY, OTHER_KEY = b"a" * 32, b"b" * 32
ALICE = Knocker("alice", KEY)
HELLO = Chunk(1, 1, encode_item(Text(1, "hello")))
TWO = [HELLO, Chunk(2, 1, encode_item(Text(1, "alice")))]


def hello(
    *,
    version: int = VERSION,
    conversation: bytes = FRESH,
    caller: str = "alice",
    callee: str = "bob",
    resume: int = 1,
) -> Hello:
    return Hello((version, version), conversation, caller, callee, resume, WINDOW)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Bob's journal: alice has said hello in KEPT, and he has called carol in CALLED."""
    journal = Journal(tmp_path / "journal")
    for conversation, caller, other in (
        (DROPPED, False, "alice"),
        (DONE, False, "alice"),
        (CALLED, True, "carol"),
        (KEPT, False, "alice"),
    ):
        number = journal.begin(
            Beginning(
                uuid=conversation,
                other=other,
                key=KEY,
                caller=caller,
                host="127.0.0.1",
                port=7_000,
                at_ms=1,
            )
        )
        journal.store(number, TWO, [HELLO], durable=False, at_ms=1)
        if conversation == DONE:
            journal.finish(number, complete=True)
        elif conversation == DROPPED:
            journal.finish(number, complete=False)
    yield journal
    journal.close()


@pytest.fixture
def bob(journal: Journal) -> Listen:
    return Listen("bob", 0, journal)


def test_a_callee_welcomes_who_was_vetted_and_means_it(bob: Listen) -> None:
    guest = bob.admit(hello(), ALICE, None)
    assert isinstance(guest, Guest)
    assert guest.parties == Parties(FRESH, "alice", KEY, Role.CALLEE, "", 0)
    assert guest.inbound.heard == 0


@pytest.mark.parametrize("resume", [1, 2, 9])
def test_a_callee_takes_up_what_its_journal_holds(
    bob: Listen, journal: Journal, resume: int
) -> None:
    """Whether it can go on from there is not asked here."""
    kept = journal.find(KEPT)
    assert kept is not None
    guest = bob.admit(hello(conversation=KEPT, resume=resume), ALICE, None)
    assert isinstance(guest, Guest)
    assert (guest.parties.stored, guest.inbound.heard) == (kept.id, 1)
    assert (guest.outbound.confirmed, guest.outbound.said) == (0, 2)


def test_a_conversation_that_is_complete_is_welcomed_for_a_caller_who_missed_that(
    bob: Listen,
) -> None:
    assert isinstance(bob.admit(hello(conversation=DONE), ALICE, None), Guest)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (hello(version=VERSION + 1), FailCode.VERSION),
        (hello(caller="mallory"), FailCode.WRONG_NAME),
        (hello(callee="carol"), FailCode.WRONG_NAME),
        (hello(conversation=CALLED), FailCode.UNKNOWN_CONVERSATION),
        (hello(conversation=DROPPED), FailCode.UNKNOWN_CONVERSATION),
    ],
)
def test_a_callee_refuses_what_it_cannot_welcome(bob: Listen, said: Hello, code: FailCode) -> None:
    refusal = bob.admit(said, ALICE, None)
    assert isinstance(refusal, Refuse)
    assert refusal.code == code


def test_another_device_of_the_same_user_takes_up_nothing(bob: Listen) -> None:
    refusal = bob.admit(hello(conversation=KEPT), Knocker("alice", OTHER_KEY), None)
    assert isinstance(refusal, Refuse)
    assert refusal.code == FailCode.UNKNOWN_CONVERSATION


def test_another_user_takes_up_nothing(bob: Listen) -> None:
    said = hello(conversation=KEPT, caller="carol")
    refusal = bob.admit(said, Knocker("carol", KEY), None)
    assert isinstance(refusal, Refuse)
    assert refusal.code == FailCode.UNKNOWN_CONVERSATION


def test_while_a_guest_is_there_only_their_conversation_goes_on(bob: Listen) -> None:
    parties = Parties(FRESH, "alice", KEY, Role.CALLEE, "", 0)
    guest = Guest.new(parties)
    assert bob.admit(hello(resume=5), ALICE, guest) is guest
    for said, knocker in (
        (hello(conversation=KEPT), ALICE),
        (hello(), Knocker("alice", OTHER_KEY)),
    ):
        assert isinstance(bob.admit(said, knocker, guest), Refuse)


@pytest.mark.parametrize(
    ("host", "address"), [("192.0.2.7", "192.0.2.7:20000"), ("2001:db8::7", "[2001:db8::7]:20000")]
)
def test_an_address_is_written_with_its_port(host: str, address: str) -> None:
    assert Address(host, 20_000).text == address
    parties = Parties(FRESH, "bob", KEY, Role.CALLER, host, 20_000)
    dial = Dial("alice", Guest.new(parties))
    assert dial.address == Address(host, 20_000)


@pytest.mark.parametrize("ring", [True, False])
def test_a_caller_says_whom_it_means_and_whether_it_rings(ring: bool) -> None:
    parties = Parties(FRESH, "bob", KEY, Role.CALLER, "127.0.0.1", 20_000)
    dial = Dial("alice", Guest.new(parties), ring=ring)
    said = dial.hello(parties, 7, WINDOW)
    assert (said.caller, said.callee, said.resume, said.ring) == ("alice", "bob", 7, ring)


def test_who_knocks_is_told_from_the_gate_to_the_link() -> None:
    knocker = Knocker("alice", bytes(range(32)))
    assert Knocker.parse(knocker.user_id.decode()) == knocker


def test_one_line_with_one_user_at_a_time() -> None:
    engagements = Engagements()
    mine, other = object(), object()
    assert engagements.take("bob", mine)
    assert engagements.take("bob", mine)
    assert not engagements.take("bob", other)
    assert engagements.take("carol", other)
    engagements.give(other)
    assert engagements.take("carol", mine)
    engagements.give(mine)
    engagements.give(mine)
    assert engagements.take("bob", other)
