"""Every refusal of the store has a code and one line of words."""

from __future__ import annotations

import pytest

from landline_broker.refusal import from_store
from landline_sql import errors

REFUSALS = [
    *(kind for kind in errors.Refusal.__subclasses__() if kind is not errors.TooManyClaims),
    errors.Unavailable,
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda kind: kind.__name__)
def test_a_refusal_is_put_into_words(refusal: type[errors.StoreError]) -> None:
    refused = from_store(refusal("hidden"))
    assert refused is not None
    problem = refused.problem()
    assert problem.code == refused.code
    assert "hidden" not in problem.say
    assert "\n" not in problem.say
    assert (problem.retry_after is not None) == (refusal is errors.Unavailable)


def test_who_claimed_too_often_is_told_for_how_long_to_wait() -> None:
    refused = from_store(errors.TooManyClaims(59.2))
    assert refused is not None
    assert (refused.code, refused.retry_after) == ("throttled", 59.2)
    assert "60 s" in refused.say


def test_anything_else_is_our_bug() -> None:
    assert from_store(errors.BadDatabase("x")) is None
