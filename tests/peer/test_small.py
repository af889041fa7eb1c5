"""Deadlines, errors and events."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from landline import errors
from landline.deadline import Deadline
from landline.events import Message, SaidBye, from_ms
from landline_protocol.errors import ErrorCode
from landline_protocol.limits import AT_MAX_MS


def test_never_is_never() -> None:
    never = Deadline(None)
    assert not never.expired
    assert never.remaining() is None
    assert never.remaining(3.0) == 3.0
    assert never.remaining_ms() is None


def test_what_is_left_is_never_below_nothing() -> None:
    past = Deadline(0.0)
    assert past.expired
    assert past.remaining() == 0.0
    assert past.remaining_ms() == 1


def test_no_more_than_the_most_is_left() -> None:
    far = Deadline(1_000.0)
    assert not far.expired
    assert far.remaining(2.0) == 2.0
    left = far.remaining()
    assert left is not None
    assert 900.0 < left <= 1_000.0


def test_the_first_of_several_is_the_one_that_comes_first() -> None:
    never, soon, later = Deadline(None), Deadline(1.0), Deadline(2.0)
    assert later.first(never, soon) is soon
    assert never.first(later) is later
    assert never.first() is never


def test_no_poll_is_asked_for_more_than_it_takes() -> None:
    assert Deadline(1e9).remaining_ms() == 2**31 - 1


def test_every_error_has_an_exit_status_of_the_contract() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    statuses = {kind.exit_status for kind in kinds if issubclass(kind, errors.LandlineError)}
    assert statuses == {1, 2, 3, 4, 5, 6, 7}
    assert errors.ConversationBroken("x").unconfirmed == 0


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_of_a_broker_becomes_an_error(code: ErrorCode) -> None:
    kind = errors.BY_CODE.get(code, errors.BrokerFailed)
    assert issubclass(kind, errors.LandlineError)


def test_times_are_in_utc_and_reach_as_far_as_the_protocol() -> None:
    assert Message("bob", "hi", 1, 0).at == datetime(1970, 1, 1, tzinfo=UTC)
    assert SaidBye("bob", 1_500).at == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert from_ms(AT_MAX_MS).year == 9_999
