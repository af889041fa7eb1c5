"""``send`` and ``outbox``: messages for somebody who may not be there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from landline_protocol.limits import TEXT_MAX

if TYPE_CHECKING:
    from tests.peer.cli.household import Household
    from tests.support.children import Child

NOWHERE = "broker.invalid"


def objects(child: Child) -> list[dict[str, object]]:
    assert child.wait() == 0, child.transcript()
    return [json.loads(line) for line in child.stdout_lines]


def nowhere(household: Household) -> dict[str, str]:
    """Return settings with the same broker at an address where nothing is."""
    return {"LANDLINE_BROKER": household.invite.replace("127.0.0.1", NOWHERE)}


def waiting(household: Household, user: str = "alice") -> list[object]:
    """Return the texts that wait in a user's outbox."""
    return [each["text"] for each in objects(household.run(user, "outbox", "--json"))]


def test_a_message_for_somebody_who_waits_is_delivered(household: Household) -> None:
    """It does not ring, nobody is asked, and the waiting goes on."""
    bob = household.start("bob", "wait", "--accept")
    bob.expect_error_line("waiting for callers")
    child = household.run("alice", "send", "bob", "the printer works again")
    assert child.wait() == 0, child.transcript()
    assert child.stderr_lines == ["delivered to bob"]
    assert child.stdout_lines == []
    bob.expect_line("^the printer works again$")
    bob.expect_error_line("waiting for callers")
    assert waiting(household) == []
    assert bob.stop() == 0


def test_somebody_at_a_terminal_is_shown_it_and_not_asked(household: Household) -> None:
    """A delivery is no call."""
    bob = household.terminal("bob", "wait")
    bob.until("waiting for callers")
    assert household.status("alice", "send", "bob", "the printer works again") == 0
    bob.until("the printer works again")
    assert "accept?" not in "\n".join(bob.screen.rows)


def test_a_message_for_somebody_who_is_away_is_kept(household: Household) -> None:
    """That is a success; one line says what becomes of it."""
    child = household.run("alice", "send", "bob", "the printer works again")
    assert child.wait() == 0
    [line] = child.stderr_lines
    assert line.startswith("kept for bob: ")
    assert line.endswith("it is delivered when you two next meet")
    listing = household.run("alice", "outbox")
    assert listing.stdout_lines == ["to bob, for less than a minute: the printer works again"]


def test_several_words_need_no_quotes(household: Household) -> None:
    """They are one message, joined by a blank; a `-` among them is no stdin."""
    assert household.status("alice", "send", "bob", "the printer", "works", "again") == 0
    assert household.status("alice", "send", "bob", "-", "at", "last") == 0
    assert waiting(household) == ["the printer works again", "- at last"]


def test_what_is_kept_is_delivered_at_the_next_meeting(household: Household) -> None:
    """What was kept first comes first."""
    for text in ("one", "two"):
        assert household.status("alice", "send", "bob", text) == 0
    bob = household.wait("bob")
    child = household.run("alice", "send", "bob", "three")
    assert child.stderr_lines == ["3 messages delivered to bob"]
    for text in ("one", "two", "three"):
        bob.expect_line(f"^{text}$")
    assert waiting(household) == []


def test_the_outbox_is_flushed(household: Household) -> None:
    """For one user, or for each of them, it says what came of it."""
    assert household.status("alice", "send", "bob", "one") == 0
    assert household.status("alice", "send", "carol", "two") == 0
    bob = household.wait("bob")
    child = household.run("alice", "outbox", "--flush")
    assert child.wait() == 0
    lines = sorted(child.stderr_lines)
    assert lines[0] == "delivered to bob"
    assert lines[1].startswith("kept for carol: ")
    bob.expect_line("^one$")
    assert waiting(household) == ["two"]
    carol = household.wait("carol")
    [sent] = objects(household.run("alice", "outbox", "carol", "--flush", "--json"))
    assert sent == {"event": "sent", "to": "carol", "delivered": 1, "kept": 0, "why": ""}
    carol.expect_line("^two$")


def test_while_you_wait_the_waiting_program_delivers(household: Household) -> None:
    """One program talks from a home; the other leaves it the message."""
    bob, alice = household.wait("bob"), household.wait("alice")
    child = household.run("alice", "send", "bob", "one")
    assert child.wait() == 0
    assert "kept for bob: another landline is at work from this home" in child.stderr_lines[0]
    bob.expect_line("^one$")
    alice.expect_error_line("what was kept for bob is delivered")
    assert waiting(household) == []


def test_an_empty_outbox(household: Household) -> None:
    """Nothing on stdout, a line on stderr."""
    for arguments in ([], ["bob"], ["--flush"], ["bob", "--flush"]):
        child = household.run("alice", "outbox", *arguments)
        assert child.wait() == 0
        assert child.stdout_lines == []
        assert child.stderr_lines[0].startswith("nothing waits to be delivered")
        assert household.run("alice", "outbox", *arguments, "--json").stdout_lines == []


def test_every_line_of_stdin_is_a_message(household: Household) -> None:
    """Also an empty one, and one that says bye."""
    child = household.start_with("alice", b"one\n\nbye\nlast", "send", "bob", "-")
    assert child.wait() == 0
    assert child.stderr_lines[0].startswith("4 messages kept for bob: ")
    assert waiting(household) == ["one", "", "bye", "last"]


def test_lines_that_cannot_be_sent_are_named(household: Household) -> None:
    """All others are sent, and the status is 2."""
    flawed = b"one\n\xff\n" + b"x" * (TEXT_MAX + 1) + b"\ntwo\n"
    child = household.start_with("alice", flawed, "send", "bob", "-")
    assert child.wait() == 2
    assert "line 2 of stdin is not UTF-8; it was not sent" in child.stderr_lines[0]
    assert "line 3 of stdin is longer than" in child.stderr_lines[1]
    assert child.stderr_lines[2].startswith("2 messages kept for bob")
    assert "2 lines of stdin could not be sent" in child.stderr_lines[3]
    assert waiting(household) == ["one", "two"]


def test_no_lines_at_all(household: Household) -> None:
    """There is nothing to do, and that is done."""
    child = household.start_with("alice", b"", "send", "bob", "-")
    assert child.wait() == 0
    assert child.stderr_lines == ["there was nothing to deliver to bob"]


def test_events_of_send(household: Household) -> None:
    """One object says how many were delivered, how many are kept, and why."""
    [kept] = objects(household.run("alice", "send", "Bob", "one", "--json"))
    assert isinstance(why := kept.pop("why"), str) and why
    assert kept == {"event": "sent", "to": "bob", "delivered": 0, "kept": 1}
    child = household.start_with("alice", b"\xff\n", "send", "bob", "-", "--json")
    assert child.wait() == 2
    events = [json.loads(line) for line in child.stdout_lines]
    assert [each["event"] for each in events] == ["unsent", "sent", "error"]
    assert events[0]["line"] == 1
    assert events[2]["status"] == 2


def test_objects_of_the_outbox(household: Household) -> None:
    """To whom, what, and when it was given."""
    assert household.status("alice", "send", "bob", "\x1bone") == 0
    [each] = objects(household.run("alice", "outbox", "--json"))
    assert str(each.pop("at")).endswith("Z")
    assert each == {"to": "bob", "text": "\x1bone"}
    assert household.run("alice", "outbox", "bob").stdout_lines[0].endswith(": ␛one")
    assert household.run("alice", "outbox", "carol").stdout_lines == []


def test_a_message_is_kept_when_the_broker_is_away(household: Household) -> None:
    """Whether there is such a user can be asked later."""
    child = household.run("alice", "send", "bob", "one", env=nowhere(household))
    assert child.wait() == 0
    assert child.stderr_lines[0].startswith("kept for bob: ")
    assert waiting(household) == ["one"]


@pytest.mark.parametrize(
    ("user", "arguments", "status"),
    [
        ("alice", ["nobody", "hello"], 3),
        ("new", ["bob", "hello"], 4),
        ("alice", ["no such name", "hello"], 2),
        ("alice", ["bob", "x" * (TEXT_MAX + 1)], 2),
        ("alice", ["bob", "\udcff"], 2),
        ("alice", ["alice", "hello"], 2),
        ("alice", ["bob"], 2),
        ("alice", ["bob", ""], 2),
    ],
)
def test_what_cannot_be_sent(
    household: Household, user: str, arguments: list[str], status: int
) -> None:
    """One line says why, and nothing is kept."""
    child = household.run(user, "send", *arguments)
    assert child.wait() == status, child.transcript()
    assert len(child.stderr_lines) == 1
    if user == "alice":
        assert waiting(household) == []
