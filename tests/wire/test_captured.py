"""Whoever sees every packet at the switch of a network learns no word.

The control sends the same words over a plain ZeroMQ pair between the same nodes, and
finds them in the same kind of capture.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from landline_protocol.invite import bracketed
from tests.support.town import say_bye
from tests.wire.words import CALLEE, CALLER, MESSAGES, PASSWORD, SECRETS, seen_in

if TYPE_CHECKING:
    from tests.support.town import Town

HERE = Path(__file__).parent
PORT = 15_000


class Tap:
    """A capture of all that crosses the switch, from now until it is read."""

    def __init__(self, town: Town, file: Path) -> None:
        self._file = file
        self._child = town.program_at_switch(HERE / "sniff.py", file)
        self._child.expect_line("^listening$")

    def read(self) -> bytes:
        """End the capture and return it whole."""
        self._child.stop()
        assert self._child.expect_line(r"^kept \d+, missed (\d+)$")[1] == "0"
        return self._file.read_bytes()


@pytest.fixture
def tap(town: Town, tmp_path: Path) -> Tap:
    return Tap(town, tmp_path / "capture")


def test_no_packet_carries_a_word_a_password_or_a_name(town: Town, tap: Tap) -> None:
    for name, at in ((CALLER, "alice"), (CALLEE, "bob")):
        for step in ("register", "login"):
            town.run(name, step, name, at=at, password=PASSWORD)
    callee = town.waiting(CALLEE, at="bob")
    caller = town.landline(CALLER, "call", CALLEE, at="alice")
    for one, other in ((caller, callee), (callee, caller)):
        for text in MESSAGES:
            one.send_line(text)
            other.expect_line(f"^{re.escape(text)}$")
    say_bye(caller, callee)
    capture = tap.read()
    assert len(capture) > 2 * sum(len(text.encode()) for text in MESSAGES)
    assert b"CURVE" in capture
    assert seen_in(capture) == {}


def test_the_same_words_on_a_plain_pair_are_found(town: Town, tap: Tap) -> None:
    plain = HERE / "plain_pair.py"
    callee = town.program("bob", plain, "hear", str(PORT))
    callee.expect_line("^listening$")
    caller = town.program("alice", plain, "say", f"{bracketed(town.lan['bob'].address)}:{PORT}")
    for secret in SECRETS:
        caller.send_line(secret)
        callee.expect_line(f"^{re.escape(secret)}$")
    say_bye(caller, callee)
    assert seen_in(tap.read()) == {secret: ["utf-8"] for secret in SECRETS}
