"""The verdict on a conversation whose link was cut."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from landline import LandlineError, Peer
from landline.cli.chaos import Cutter
from landline.cli.numbers import Counts, Exchange
from landline.cli.output import Output
from landline.cli.storm import Storm
from landline.deadline import Deadline

if TYPE_CHECKING:
    from landline.waiting import Waiting
    from tests.peer.cli.household import Household

SECONDS = 0.5


def hold(household: Household, bobs_word: Counts) -> Counts:
    """Let alice and bob say numbers through cuts; take bob's word for what he counted.

    Members that are -1 are as they were counted. Returns what bob really counted.
    """
    counted: list[Counts] = []

    def listen(waiting: Waiting) -> None:
        with next(iter(waiting)).accept() as talk:
            exchange = Exchange(talk)
            exchange.hold(Deadline(None), lambda _: None)
            counted.append(exchange.counts)

    def word() -> str:
        bob.join()
        return json.dumps(
            {
                name: getattr(counted[0], name) if of == -1 else of
                for name, of in msgspec.structs.asdict(bobs_word).items()
            }
        )

    with (
        Cutter() as cutter,
        Peer(household.home("bob"), household.invite) as bobs,
        Peer(household.home("alice"), household.invite) as alices,
        bobs.wait(port=cutter.port) as waiting,
    ):
        cutter.target = waiting.port
        bob = threading.Thread(target=listen, args=(waiting,), name="bob")
        bob.start()
        try:
            with alices.call("bob") as talk:
                Storm(cutter, list, word, Output(json=False)).hold(talk, SECONDS)
        finally:
            bob.join()
        assert cutter.cuts
    return counted[0]


def test_all_is_well(household: Household, capfd: pytest.CaptureFixture[str]) -> None:
    """The last line counts what both have really received."""
    bob = hold(household, Counts(-1, -1, -1, -1, -1, over=True))
    assert bob.sent
    assert bob.received
    assert " 0 lost, 0 doubled, 0 out of order" in capfd.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("word", "line"),
    [
        (Counts(-1, 0, -1, -1, -1, over=True), r"[1-9]\d* lost, 0 doubled, 0 out of order"),
        (Counts(-1, -1, -1, 3, -1, over=True), "0 lost, 3 doubled, 0 out of order"),
        (Counts(-1, -1, -1, -1, 2, over=True), "0 lost, 0 doubled, 2 out of order"),
    ],
)
def test_a_fault_is_an_error(
    household: Household, capfd: pytest.CaptureFixture[str], word: Counts, line: str
) -> None:
    """One that has not received everything, once and in order, is believed."""
    with pytest.raises(LandlineError, match="what was received is not what was said"):
        hold(household, word)
    assert re.search(line, capfd.readouterr().err.splitlines()[-1])
