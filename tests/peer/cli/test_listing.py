"""``who`` and ``history``, for people and for programs."""

from __future__ import annotations

import json
import re

from landline.cli.output import iso
from tests.peer.cli.household import Household
from tests.peer.cli.test_paging import program


def test_who_is_a_table(household: Household) -> None:
    """Sorted by name; the user of this device is marked."""
    bob = household.wait("bob")
    child = household.run("alice", "who")
    assert child.wait() == 0
    rows = [line for line in child.stdout_lines if line.split()[0] in {"alice", "bob", "carol"}]
    assert [row.split() for row in rows] == [
        ["alice", "offline", "(you)"],
        ["bob", "waiting"],
        ["carol", "offline"],
    ]
    assert child.stdout_lines == sorted(child.stdout_lines)
    assert len({row.index(row.split()[1]) for row in rows}) == 1
    bob.stop()


def test_who_is_json(household: Household) -> None:
    """An object a line, with name and state."""
    child = household.run("alice", "who", "bob", "--json")
    assert [json.loads(line) for line in child.stdout_lines] == [
        {"name": "bob", "state": "offline"}
    ]


def test_who_is_unknown(household: Household) -> None:
    """Status 3, and a hint."""
    child = household.run("alice", "who", "nobody")
    assert child.wait() == 3
    [line] = child.stderr_lines
    assert "landline who" in line
    assert child.stdout_lines == []


def test_who_has_colours_on_a_terminal(household: Household) -> None:
    """And none when NO_COLOR is set."""
    bob = household.wait("bob")
    coloured = household.terminal("alice", "who", "bob")
    coloured.expect_plain("\x1b[32mwaiting\x1b[0m")
    plain = household.terminal("alice", "who", "bob", env={"NO_COLOR": "1"})
    plain.expect_plain("bob  waiting")
    bob.stop()


def talk(household: Household, said: bytes, *options: str) -> None:
    bob = household.wait("bob", "--once")
    bob.send_line("from bob")
    bob.close_stdin()
    assert household.start_with("alice", said, "call", "bob", *options).wait() == 0
    assert bob.wait() == 0


def test_history(household: Household) -> None:
    """Everything both have said, with what could act made visible."""
    talk(household, b"one\n\x1b]0;owned\x07\n")
    child = household.run("alice", "history", "bob")
    assert child.wait() == 0
    texts = {re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", "", line) for line in child.stdout_lines}
    assert texts == {"alice: one ✓", "alice: ␛]0;owned␇ ✓", "bob: from bob"}


def test_history_is_json(household: Household) -> None:
    """The same members on both sides, the other way round."""
    talk(household, b"\x1bone\n")
    mine = [
        json.loads(line) for line in household.run("alice", "history", "bob", "--json").stdout_lines
    ]
    theirs = [
        json.loads(line) for line in household.run("bob", "history", "alice", "--json").stdout_lines
    ]
    assert {json.dumps(each) for each in mine} == {json.dumps(each) for each in theirs}
    [one] = [each for each in mine if each["from"] == "alice"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one.pop("at"))
    assert one == {"from": "alice", "to": "bob", "text": "\x1bone", "number": 1, "delivered": True}


def test_history_with_anybody(household: Household) -> None:
    """Each line says from whom to whom, and whether it is delivered."""
    talk(household, b"one\n")
    assert household.status("alice", "send", "carol", "two") == 0
    child = household.run("alice", "history")
    assert child.wait() == 0
    texts = [line.split("  ", 1)[1] for line in child.stdout_lines]
    assert texts[-1] == "alice to carol: two  (not delivered yet)"
    assert set(texts[:-1]) == {"alice to bob: one ✓", "bob to alice: from bob"}


def test_history_is_searched(household: Household) -> None:
    """By words and by time; whatever is typed, it is words."""
    talk(household, b"the printer works\nthe print is good\n")
    found = {
        "printer": 1,
        "works printer": 1,
        "print": 1,
        "print*": 2,
        "bob": 1,
        "PRINTER": 1,
        '"': 0,
        "nobody said this": 0,
    }
    for words, count in found.items():
        child = household.run("alice", "history", "--search", words)
        assert child.wait() == 0, words
        assert len(child.stdout_lines) == count, words
    assert len(household.run("alice", "history", "--since", "1h").stdout_lines) == 3
    child = household.run("alice", "history", "bob", "--since", "2999-01-01")
    assert child.stdout_lines == []
    assert child.stderr_lines == ["nothing in the history here is like that"]


def test_history_goes_through_the_pager(household: Household) -> None:
    """On a terminal, when there is much of it, and unless it is not wanted."""
    talk(household, b"line\n" * 40)
    pager = {"PAGER": program(household.path, "sed s/line/row/")}
    status, shown = household.terminal("alice", "history", "bob", env=pager).finish()
    assert status == 0
    assert shown.count("alice: row ✓") == 40
    plain = household.terminal("alice", "history", "bob", "--no-pager", env=pager)
    assert plain.finish()[1].count("alice: line ✓") == 40


def test_without_history_only_what_is_not_delivered_is_kept(household: Household) -> None:
    """The other side keeps what it wants."""
    talk(household, b"one\n", "--no-history")
    nothing = {"LANDLINE_NO_HISTORY": "1"}
    assert household.status("alice", "send", "carol", "two", env=nothing) == 0
    child = household.run("alice", "history")
    assert [line.split("  ", 1)[1] for line in child.stdout_lines] == [
        "alice to carol: two  (not delivered yet)"
    ]
    assert len(household.run("bob", "history").stdout_lines) == 2


def test_history_needs_no_broker(household: Household) -> None:
    """It is read from this device's own disk."""
    talk(household, b"one\n")
    nowhere = {"LANDLINE_BROKER": household.invite.replace("127.0.0.1", "broker.invalid")}
    assert household.run("alice", "history", "bob", env=nowhere).stdout_lines != []


def test_history_of_nothing(household: Household) -> None:
    """Nothing on stdout, a line on stderr."""
    child = household.run("alice", "history", "carol")
    assert child.wait() == 0
    assert child.stdout_lines == []
    assert child.stderr_lines == ["there is nothing here between you and carol"]
    assert household.run("alice", "history").stderr_lines == ["there is nothing here"]


def test_history_of_a_stranger(household: Household) -> None:
    """Nobody has logged in here."""
    assert household.status("new", "history", "bob") == 4


def test_iso_times_are_exact() -> None:
    """Milliseconds survive, up to the last that the protocol knows."""
    assert iso(0) == "1970-01-01T00:00:00.000Z"
    assert iso(253_402_300_799_999) == "9999-12-31T23:59:59.999Z"
