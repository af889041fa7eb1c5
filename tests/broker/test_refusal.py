"""Every refusal of the store has a code and one line of words."""

from __future__ import annotations

import pytest

from landline_broker.refusal import from_store
from landline_sql import errors

REFUSALS = [*errors.Refusal.__subclasses__(), errors.Unavailable]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda kind: kind.__name__)
def test_a_refusal_is_put_into_words(refusal: type[errors.StoreError]) -> None:
    refused = from_store(refusal("hidden"))
    assert refused is not None
    problem = refused.problem()
    assert problem.code == refused.code
    assert "hidden" not in problem.say
    assert "\n" not in problem.say
    assert (problem.retry_after is not None) == (refusal is errors.Unavailable)


def test_anything_else_is_our_bug() -> None:
    assert from_store(errors.BadDatabase("x")) is None
