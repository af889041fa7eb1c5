"""Numbered messages and what is counted of them."""

from __future__ import annotations

import pytest

from landline.cli.numbers import Counts, Tally


@pytest.mark.parametrize(
    ("heard", "counts"),
    [
        ([1, 2, 3], Counts(received=3)),
        ([], Counts()),
        ([2, 3], Counts(received=2, lost=1)),
        ([1, 4], Counts(received=2, lost=2)),
        ([1, 3, 2], Counts(received=3, disordered=1)),
        ([1, 1, 2, 1], Counts(received=2, doubled=2)),
        ([3, 1, 1], Counts(received=2, lost=1, disordered=1, doubled=1)),
    ],
)
def test_every_fault_is_counted(heard: list[int], counts: Counts) -> None:
    """What is missing, what came twice, what came late."""
    found = Counts()
    tally = Tally(found)
    for number in heard:
        tally.hear(number)
    assert found == counts
