"""When and where a broken link is tried again: patience, pauses, the address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from landline.ends import Address, Dial, Guest, Listen
from landline.journal import Journal
from landline.letters import Parties, Stake
from landline.redial import PAUSE_MOST_S, REBIND_S, Redial
from landline_protocol.limits import FAREWELL_S
from landline_protocol.link import Role
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

CONVERSATION = b"\1" * 16
HERE, THERE = Address("127.0.0.1", 20_000), Address("127.0.0.1", 20_001)


def dial(redial_s: float = 1_000.0, found: Address | None = None) -> Dial:
    parties = Parties(CONVERSATION, "bob", b"k" * 32, Role.CALLER, *HERE)
    guest = Guest.new(parties)
    return Dial("alice", guest, redial_s=redial_s, ask=lambda: found)


def test_a_caller_knocks_at_once_then_less_and_less_often() -> None:
    redial = Redial(dial())
    redial.begin(Stake.TEXTS)
    pauses = [redial.pause() for _ in range(12)]
    assert pauses[0] < 0.02
    for number, pause in enumerate(pauses[1:]):
        usual = min(0.05 * 2**number, PAUSE_MOST_S)
        assert 0.5 * usual <= pause <= 1.5 * usual


def test_each_outage_begins_with_a_short_pause() -> None:
    redial = Redial(dial())
    for _ in range(3):
        redial.begin(Stake.TEXTS)
        assert redial.pause() < 0.02
        assert redial.pause() < 0.1


def test_no_pause_is_longer_than_the_patience() -> None:
    redial = Redial(dial(redial_s=0.0))
    redial.begin(Stake.TEXTS)
    assert redial.patience.expired
    assert [redial.pause() for _ in range(3)] == [0.0] * 3


def test_a_callee_listens_again_at_once_then_at_intervals(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    redial = Redial(Listen("bob", 0, journal))
    redial.begin(Stake.TEXTS)
    assert [redial.pause() for _ in range(4)] == [0.0, 0.0, REBIND_S, REBIND_S]
    assert not redial.look_up()
    journal.close()


@pytest.mark.parametrize("redial_s", [1.0, 120.0])
@pytest.mark.parametrize("stake", list(Stake))
def test_unless_texts_are_at_stake_there_is_little_to_wait_for(
    stake: Stake, redial_s: float
) -> None:
    patience = redial_s if stake is Stake.TEXTS else min(redial_s, FAREWELL_S)
    redial = Redial(dial(redial_s))
    redial.begin(stake)
    assert redial.parting is (stake is not Stake.TEXTS)
    left = redial.patience.remaining()
    assert left is not None
    assert patience - 0.5 < left <= patience
    redial.end()
    assert redial.patience.remaining() is None


def test_byes_that_are_said_in_an_outage_shorten_it() -> None:
    redial = Redial(dial())
    redial.begin(Stake.TEXTS)
    redial.lower(Stake.BYE)
    assert redial.parting
    left = redial.patience.remaining()
    assert left is not None
    assert left <= FAREWELL_S


def test_the_broker_is_asked_when_knocking_has_been_in_vain_for_a_while() -> None:
    redial = Redial(dial(found=THERE))
    redial.begin(Stake.TEXTS)
    assert not redial.look_up()
    wait_until(redial.look_up, "the broker is asked")
    assert not redial.look_up()
    assert redial.address == THERE


def test_a_broker_that_does_not_know_changes_nothing() -> None:
    asked: list[bool] = []

    def ask() -> None:
        asked.append(True)

    end = dial()
    redial = Redial(Dial(end.me, end.guest, ask=ask))
    redial.begin(Stake.TEXTS)
    wait_until(lambda: redial.look_up() or asked, "the broker is asked")
    assert redial.address == HERE
