"""What is told, and how it is written."""

from __future__ import annotations

import json
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.cli.output import encoded, local, loud
from landline.errors import RecordsDiffer
from landline_protocol.limits import AT_MAX_MS
from tests.peer.cli.household import LANDLINE, Household, Terminal
from tests.support.children import environment


@given(st.text())
def test_json_is_printable_ascii_and_nothing_is_lost(text: str) -> None:
    """Nothing in it acts on a terminal, not even DEL."""
    line = encoded({"text": text})
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == {"text": text}


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("at_ms", [0, AT_MAX_MS])
def test_any_clock_of_the_other_can_be_shown(
    monkeypatch: pytest.MonkeyPatch, zone: str, at_ms: int
) -> None:
    """A time that this machine's calendar does not reach is shown in UTC."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert len(local(at_ms, "%Y-%m-%d %H:%M")) == 16
    finally:
        monkeypatch.undo()
        time.tzset()


def test_nothing_said_acts_on_a_terminal_although_stdin_is_none(household: Household) -> None:
    """``date | landline call bob`` prints to the terminal; what bob says is marked there."""
    bob = household.start_with("bob", b"\x1b[31mred\x07\nbye\n", "wait", "--accept", "--once")
    bob.expect_error_line("waiting for callers")
    argv = ["/bin/sh", "-c", f"date | exec '{LANDLINE}' call bob"]
    settings = environment(household.path, household.settings("alice"))
    alice = Terminal(argv, settings, household.path)
    household.terminals.append(alice)
    alice.expect_plain("␛[31mred␇")
    assert alice.finish()[0] == 0
    assert bob.wait() == 0


ALARM = """
from landline.cli.output import loud
from landline.errors import Offline, RecordsDiffer
print(loud(Offline("away")), loud(RecordsDiffer("bob")))
"""


@pytest.mark.parametrize(
    ("env", "marks"), [({}, ("\x1b[31m\x1b[1m", "\x1b[0m")), ({"NO_COLOR": "1"}, ("", ""))]
)
def test_records_that_differ_alarm(
    household: Household, env: dict[str, str], marks: tuple[str, str]
) -> None:
    """In bold and red on a terminal that takes colours; in capitals wherever."""
    settings = environment(household.path, env)
    terminal = Terminal([sys.executable, "-c", ALARM], settings, household.path)
    household.terminals.append(terminal)
    say = str(RecordsDiffer("bob"))
    assert terminal.expect_plain(f"{marks[0]}{say}{marks[1]}") == "away "
    terminal.finish()
    assert loud(RecordsDiffer("bob")) == say
